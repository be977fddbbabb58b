//! Names that rules use and only the configuration knows: models, throttles, routes, tenants, keys.

use crate::access::DEFAULT_TENANT;
use crate::config::{Config, PolicyConfig};
use crate::proxy::ROUTE;
use crate::route::Table;
use crate::rules::mention::{Mention, MentionKind};
use crate::rules::{Rule, RuleSet};
use crate::verdict::Action;
use crate::yaml::Diagnostics;
use crate::yaml::diagnostic::Diagnostic;

/// What there is besides the policy: it stays until a restart.
#[derive(Clone, Debug)]
pub(super) struct Names {
    table: Table,
    tenants: Vec<String>,
    keys: Vec<String>,
}

impl Names {
    pub(super) fn of(config: &Config) -> Self {
        let models = config.providers.iter().map(|provider| (provider.name.clone(), provider.models.clone()));
        let keys = &config.access.keys;
        let tenants = keys.iter().map(|key| key.tenant.clone()).chain([DEFAULT_TENANT.to_owned()]);
        let sorted = |mut names: Vec<String>| {
            names.sort();
            names.dedup();
            names
        };
        Self {
            table: Table::new(models.collect()),
            tenants: sorted(tenants.collect()),
            keys: sorted(keys.iter().map(|key| key.id.clone()).collect()),
        }
    }

    /// Names of routes, tenants and keys that nobody has: what asks for them never applies.
    pub(super) fn notices(&self, set: &RuleSet) -> Vec<Diagnostic> {
        let notice = |mention: &Mention| {
            let (code, what, known) = match mention.kind {
                MentionKind::Route => ("W020", "no route is called", vec![ROUTE]),
                MentionKind::Tenant => ("W021", "no key is of the tenant", words(&self.tenants)),
                MentionKind::Key => ("W022", "no key has the id", words(&self.keys)),
                MentionKind::Model | MentionKind::Throttle => return None,
            };
            let message = format!("{what} `{}`: what asks for it does not apply there", mention.name);
            (!mention.is_one_of(&known)).then(|| mention.problem(code, message, &known))
        };
        set.mentions().iter().filter_map(notice).collect()
    }
}

/// Rules that name a model which no provider serves, or a throttle that the policy does not have. `names`: left out where the
/// providers are not known.
pub(super) fn unserved(policy: &PolicyConfig, names: Option<&Names>, set: &RuleSet) -> Diagnostics {
    let throttles: Vec<&str> = policy.throttles.keys().map(String::as_str).collect();
    let wrong = set.iter().filter_map(|(_, rule)| {
        let (to, id) = (rule.to.as_ref()?, &rule.id);
        match (rule.action, names) {
            (Some(Action::Route), Some(names)) if names.table.choose(to).is_err() => {
                let message = format!("{id} routes to the model `{to}`, which no provider under `providers` serves");
                let models: Vec<&str> = names.table.named_models().into_iter().map(|(name, _)| name).collect();
                Some(problem(set, rule, MentionKind::Model, message, &models))
            }
            (Some(Action::Throttle), _) if !policy.throttles.contains_key(to) => {
                let message = format!("{id} names the throttle `{to}`; policy.throttles has: {}", throttles.join(", "));
                Some(problem(set, rule, MentionKind::Throttle, message, &throttles))
            }
            _ => None,
        }
    });
    Diagnostics { errors: wrong.collect(), warnings: Vec::new() }
}

fn problem(set: &RuleSet, rule: &Rule, kind: MentionKind, message: String, known: &[&str]) -> Diagnostic {
    let is_its =
        |mention: &&Mention| mention.kind == kind && mention.file == rule.file && Some(mention.place) == rule.to_place;
    match set.mentions().iter().find(is_its) {
        Some(mention) => mention.problem("R048", message, known),
        None => Diagnostic {
            code: "R048",
            file: rule.file.clone(),
            place: Some((usize::try_from(rule.line).unwrap_or(1), 1)),
            message,
            help: "name what there is, or add it to the configuration".to_owned(),
            line_text: None,
        },
    }
}

fn words(names: &[String]) -> Vec<&str> {
    names.iter().map(String::as_str).collect()
}
