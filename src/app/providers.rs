//! Providers of the configuration to targets of the pipeline.

use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;

use super::{StartError, load_tls};
use crate::base::Limits;
use crate::config::{Config, ProviderAuth, ProviderConfig, ProviderKind};
use crate::egress::Reach;
use crate::provider::{Auth, MockConfig, MockHandle, MockProvider, Provider, ProviderClient};
use crate::proxy::{Admission, Target};

/// Connects nothing yet; a mock is started.
pub(super) async fn targets(
    providers: &[ProviderConfig],
    limits: &Limits,
) -> Result<(Vec<Target>, Vec<MockHandle>), StartError> {
    let (mut targets, mut mocks) = (Vec::new(), Vec::new());
    for configured in providers {
        let name = &configured.name;
        let target = match &configured.kind {
            ProviderKind::Mock => {
                let names = configured.models.iter().filter_map(|model| model.as_name().map(str::to_owned)).collect();
                let settings = MockConfig { models: names, ..MockConfig::default() };
                let mock =
                    MockProvider::start((Ipv4Addr::LOCALHOST, 0).into(), settings).await.map_err(StartError::Listen)?;
                let base_url = format!("http://{}/v1", mock.addr());
                mocks.push(mock);
                target(name, &base_url, &ProviderAuth::None, (None, Reach::default()), limits)?
            }
            ProviderKind::Remote { base_url, auth, ca_file, reach } => {
                target(name, base_url, auth, (ca_file.as_deref(), *reach), limits)?
            }
        };
        targets.push(Target { prices: configured.prices.clone(), ..target });
    }
    Ok((targets, mocks))
}

fn target(
    name: &str,
    base_url: &str,
    auth: &ProviderAuth,
    (ca_file, reach): (Option<&Path>, Reach),
    limits: &Limits,
) -> Result<Target, StartError> {
    let (auth, admission) = match auth {
        ProviderAuth::Held(key) => (Auth::Held(key.clone()), Admission::Known),
        ProviderAuth::None => (Auth::None, Admission::Anyone),
        ProviderAuth::PassThrough => (Auth::PassThrough, Admission::OwnKey),
    };
    let provider = Provider::new(name, base_url, auth, &[], base_url.starts_with("http://"))
        .map_err(|problems| StartError::Provider(problems.join("\n")))?
        .with_reach(reach);
    let provider = match ca_file {
        Some(path) => provider.with_extra_roots(read_roots(path)?),
        None => provider,
    };
    let client = ProviderClient::new(provider, limits).map_err(StartError::Provider)?;
    Ok(Target { client, admission, prices: Vec::new() })
}

/// What a start would find wrong with certificates and providers; nothing is opened or connected.
pub fn problems(config: &Config) -> Vec<String> {
    let tls = load_tls(config).err();
    let providers = config.providers.iter().filter_map(|provider| match &provider.kind {
        ProviderKind::Mock => None,
        ProviderKind::Remote { base_url, auth, ca_file, reach } => {
            target(&provider.name, base_url, auth, (ca_file.as_deref(), *reach), &config.limits).err()
        }
    });
    tls.into_iter().chain(providers).map(|error| error.to_string()).collect()
}

fn read_roots(path: &Path) -> Result<Vec<u8>, StartError> {
    fs::read(path).map_err(|error| StartError::Provider(format!("ca_file {} cannot be read: {error}", path.display())))
}
