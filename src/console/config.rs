//! What configuration says of the console.

use std::collections::BTreeSet;
use std::path::PathBuf;

use http::Uri;

use super::who::Role;
use crate::base::Secret;
use crate::egress::Reach;

/// How browsers reach the console, and who vouches for those who sign in.
#[derive(Clone, Debug, Default)]
pub struct ConsoleConfig {
    /// Its address in browsers, when a proxy stands in front: scheme, host and port. `None`: what the browser calls it.
    pub origin: Option<Uri>,
    /// The identity provider; `None`: passwords alone.
    pub oidc: Option<OidcConfig>,
}

impl ConsoleConfig {
    /// The address in browsers, without a path, if one is written.
    pub(crate) fn origin(&self) -> Option<String> {
        self.origin.as_ref().map(|origin| origin.to_string().trim_end_matches('/').to_owned())
    }

    /// Whether browsers reach it encrypted, as far as we were told.
    pub(crate) fn is_encrypted(&self) -> bool {
        self.origin.as_ref().is_some_and(|origin| origin.scheme_str() == Some("https"))
    }
}

/// An identity provider: OpenID Connect Core 1.0 and Discovery 1.0.
#[derive(Clone, Debug)]
pub struct OidcConfig {
    /// Its issuer identifier, as it writes it.
    pub issuer: String,
    /// Its name for people, on the button.
    pub name: String,
    /// What we are called there.
    pub client_id: String,
    /// What proves that it is us; `None`: a public client, which PKCE alone protects.
    pub client_secret: Option<Secret>,
    /// The claim that names a user.
    pub user: String,
    /// What is asked for beside `openid`.
    pub scopes: Vec<String>,
    /// Roles by groups; `None`: only those come in whom an administrator made a user.
    pub roles: Option<GroupRoles>,
    /// Further certificate authorities (PEM) that may have signed its certificate.
    pub ca_file: Option<PathBuf>,
    /// Which addresses it may have.
    pub reach: Reach,
}

/// Roles by the groups that the identity provider tells of.
#[derive(Clone, Debug)]
pub struct GroupRoles {
    /// The claim, or a JSON pointer (RFC 6901) into the claims when it begins with `/`.
    pub claim: String,
    /// Groups of each role.
    pub groups: Vec<(Role, BTreeSet<String>)>,
}

impl GroupRoles {
    /// The strongest role that one of these groups gives.
    pub(crate) fn role<'a>(&self, groups: impl IntoIterator<Item = &'a str>) -> Option<Role> {
        let role =
            |group: &str| self.groups.iter().filter(|(_, named)| named.contains(group)).map(|(role, _)| *role).max();
        groups.into_iter().filter_map(role).max()
    }
}
