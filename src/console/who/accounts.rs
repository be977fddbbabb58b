//! Users and tokens, in one file of the state folder. There is no default password: while there is no user, a link that works once makes
//! the first one.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use super::{Actor, Role, hashed, password, random_secret};
use crate::base::Secret;

/// What cannot be done with an account.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum AccountError {
    /// The caller's: what is wrong, and what to do.
    #[error("{0}")]
    Refused(String),
    /// There is no such user or token.
    #[error("{0}")]
    Missing(String),
    /// The name has somebody already.
    #[error("{0}")]
    Taken(String),
    /// Ours: the disk, or the system.
    #[error("{0}")]
    Failed(String),
}

/// A secret that was made, shown once.
#[derive(Debug)]
pub(crate) struct Made {
    /// The token's public name.
    pub(crate) id: String,
    /// The secret.
    pub(crate) secret: Secret,
}

/// A user, without what proves who they are.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(crate) struct UserView {
    pub(crate) name: String,
    pub(crate) role: Role,
    pub(crate) created_at: Timestamp,
    pub(crate) last_at: Option<Timestamp>,
    /// Signs in with a password; else by the identity provider.
    pub(crate) has_password: bool,
    /// Their role follows their groups at the identity provider.
    pub(crate) by_groups: bool,
}

/// Somebody for whom the identity provider vouches.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Proof {
    /// What they are called there.
    pub(crate) name: String,
    /// Who they are there, for ever: the issuer and its subject.
    pub(crate) subject: String,
    /// What their groups let them do.
    pub(crate) role: Option<Role>,
}

/// Whether somebody is let in whom the identity provider vouches for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Admitted {
    /// As this user. `true`: their role is another one since.
    As(Actor, bool),
    /// Nothing lets them in. The user whom this ends, if there is one.
    Unknown(Option<String>),
    /// That name is somebody else's.
    Taken(String),
}

/// A token, without its secret.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(crate) struct TokenView {
    pub(crate) id: String,
    pub(crate) role: Role,
    pub(crate) created_at: Timestamp,
    pub(crate) created_by: String,
    pub(crate) expires_at: Option<Timestamp>,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
struct Kept {
    users: BTreeMap<String, User>,
    tokens: BTreeMap<String, Token>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
struct User {
    role: Role,
    created_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_at: Option<Timestamp>,
    /// A PHC string; `None`: the identity provider says who it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    password: Option<String>,
    /// Who this is at the identity provider; known from the first time on that they came from there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    /// Made by the groups at the identity provider, whose role follows them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    by_groups: bool,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
struct Token {
    role: Role,
    created_at: Timestamp,
    created_by: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
    sha256: String,
}

/// Users and tokens.
#[derive(Debug)]
pub(crate) struct Accounts {
    path: PathBuf,
    kept: Kept,
    /// The hash of what the first user is made with, and until when.
    setup: Option<(String, Timestamp)>,
    /// Verified when nobody has that name, so that a name is not told by the time it takes.
    nobody: String,
}

impl Accounts {
    /// Reads the file; none is no account.
    pub(crate) fn open(state: &Path) -> Result<Self, AccountError> {
        let path = state.join(FILE);
        let wrong = |why: String| AccountError::Failed(format!("{}: {why}", path.display()));
        let kept = match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).map_err(|error| wrong(error.to_string()))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Kept::default(),
            Err(error) => return Err(wrong(error.to_string())),
        };
        let nobody = password::hash("nobody has this password").map_err(AccountError::Failed)?;
        Ok(Self { path, kept, setup: None, nobody })
    }

    /// While there is no user: the secret of the link that makes the first one. Each call makes another, and the one before works
    /// no more.
    pub(crate) fn setup_link(&mut self) -> Result<Option<Secret>, AccountError> {
        if !self.kept.users.is_empty() {
            return Ok(None);
        }
        let (secret, hash) = random_secret()?;
        self.setup = Some((hash, after(SETUP_HOURS)?));
        Ok(Some(secret))
    }

    /// Whether the first user is still to be made.
    pub(crate) fn needs_setup(&self) -> bool {
        self.kept.users.is_empty()
    }

    /// Makes the first user, an administrator. The link works once.
    pub(crate) fn set_up(&mut self, link: &str, name: &str, secret: &str) -> Result<(), AccountError> {
        let is_it = self.setup.as_ref().is_some_and(|(hash, until)| {
            bool::from(hash.as_bytes().ct_eq(hashed(link).as_bytes())) && Timestamp::now() < *until
        });
        if !is_it || !self.kept.users.is_empty() {
            return Err(AccountError::Refused(
                "this link does not work any more; `portcullis console link` prints a fresh one".to_owned(),
            ));
        }
        self.add(name, Role::Admin, Some(secret))?;
        self.setup = None;
        Ok(())
    }

    /// The hash that a password is held against, whether or not there is such a user.
    pub(crate) fn hash_of(&self, name: &str) -> String {
        let found = self.kept.users.get(name).and_then(|user| user.password.clone());
        found.unwrap_or_else(|| self.nobody.clone())
    }

    /// Who signed in; called once the password was verified. `None`: there is no such user with a password.
    pub(crate) fn signed_in(&mut self, name: &str) -> Result<Option<Actor>, AccountError> {
        let Some(user) = self.kept.users.get_mut(name).filter(|user| user.password.is_some()) else { return Ok(None) };
        user.last_at = Some(Timestamp::now());
        let actor = Actor { name: name.to_owned(), role: user.role };
        self.write()?;
        Ok(Some(actor))
    }

    /// Whose token this is.
    pub(crate) fn token(&self, presented: &str) -> Option<Actor> {
        let hash = hashed(presented);
        let is_it = |token: &&Token| bool::from(token.sha256.as_bytes().ct_eq(hash.as_bytes()));
        let (id, token) = self.kept.tokens.iter().find(|(_, token)| is_it(token))?;
        let is_open = token.expires_at.is_none_or(|until| Timestamp::now() < until);
        is_open.then(|| Actor { name: format!("token:{id}"), role: token.role })
    }

    /// All users.
    pub(crate) fn users(&self) -> Vec<UserView> {
        let view = |(name, user): (&String, &User)| UserView {
            name: name.clone(),
            role: user.role,
            created_at: user.created_at,
            last_at: user.last_at,
            has_password: user.password.is_some(),
            by_groups: user.by_groups,
        };
        self.kept.users.iter().map(view).collect()
    }

    /// All tokens.
    pub(crate) fn tokens(&self) -> Vec<TokenView> {
        let view = |(id, token): (&String, &Token)| TokenView {
            id: id.clone(),
            role: token.role,
            created_at: token.created_at,
            created_by: token.created_by.clone(),
            expires_at: token.expires_at,
        };
        self.kept.tokens.iter().map(view).collect()
    }

    /// Makes a user. Without a password only the identity provider can say that it is them.
    pub(crate) fn add(&mut self, name: &str, role: Role, secret: Option<&str>) -> Result<(), AccountError> {
        check_name(name)?;
        if self.kept.users.contains_key(name) {
            return Err(AccountError::Taken(format!("there is a user `{name}` already")));
        }
        if self.kept.users.len() >= ACCOUNTS_MAX {
            return Err(AccountError::Refused(format!("there are {ACCOUNTS_MAX} users; remove one first")));
        }
        let password = secret.map(|secret| hashed_password(name, secret)).transpose()?;
        let user =
            User { role, created_at: Timestamp::now(), last_at: None, password, subject: None, by_groups: false };
        self.kept.users.insert(name.to_owned(), user);
        self.write()
    }

    /// Lets somebody in for whom the identity provider vouches.
    ///
    /// Whom an administrator made keeps the role that was given; whom groups let in has the role of their groups, each time anew. A
    /// user who has a password is nobody at the provider, whatever somebody calls themselves there.
    pub(crate) fn admit(&mut self, proof: &Proof) -> Result<Admitted, AccountError> {
        let is_it = |(_, user): &(&String, &User)| user.subject.as_deref() == Some(&proof.subject);
        let known = self.kept.users.iter().find(is_it).map(|(name, _)| name.clone());
        let name = match known {
            Some(name) => name,
            None => {
                check_name(&proof.name)?;
                match self.kept.users.get(&proof.name) {
                    Some(user) if user.password.is_some() || user.subject.is_some() => {
                        return Ok(Admitted::Taken(proof.name.clone()));
                    }
                    Some(_) => {}
                    None => {
                        let Some(role) = proof.role else { return Ok(Admitted::Unknown(None)) };
                        self.add(&proof.name, role, None)?;
                        if let Some(user) = self.kept.users.get_mut(&proof.name) {
                            user.by_groups = true;
                        }
                    }
                }
                proof.name.clone()
            }
        };
        let user = self.kept.users.get_mut(&name).ok_or_else(|| unknown(&name))?;
        let role = if user.by_groups { proof.role } else { Some(user.role) };
        let Some(role) = role else { return Ok(Admitted::Unknown(Some(name))) };
        let is_changed = user.role != role;
        user.role = role;
        user.subject = Some(proof.subject.clone());
        user.last_at = Some(Timestamp::now());
        self.write()?;
        Ok(Admitted::As(Actor { name, role }, is_changed))
    }

    /// Gives a user another role, or another password.
    pub(crate) fn change(&mut self, name: &str, role: Option<Role>, secret: Option<&str>) -> Result<(), AccountError> {
        let password = secret.map(|secret| hashed_password(name, secret)).transpose()?;
        if role.is_some_and(|role| role < Role::Admin) {
            self.check_not_last(name)?;
        }
        let user = self.kept.users.get_mut(name).ok_or_else(|| unknown(name))?;
        if user.by_groups && role.is_some() {
            let why = format!("the role of `{name}` follows their groups at the identity provider; change it there");
            return Err(AccountError::Refused(why));
        }
        user.role = role.unwrap_or(user.role);
        if password.is_some() {
            // From now on nobody else vouches for them.
            (user.password, user.subject, user.by_groups) = (password, None, false);
        }
        self.write()
    }

    /// Removes a user.
    pub(crate) fn remove(&mut self, name: &str) -> Result<(), AccountError> {
        self.check_not_last(name)?;
        self.kept.users.remove(name).ok_or_else(|| unknown(name))?;
        self.write()
    }

    /// Makes a token for a program.
    pub(crate) fn add_token(
        &mut self,
        id: &str,
        role: Role,
        days: Option<u32>,
        by: &str,
    ) -> Result<Made, AccountError> {
        check_name(id)?;
        if self.kept.tokens.contains_key(id) {
            return Err(AccountError::Taken(format!("there is a token `{id}` already; remove it first")));
        }
        if self.kept.tokens.len() >= ACCOUNTS_MAX {
            return Err(AccountError::Refused(format!("there are {ACCOUNTS_MAX} tokens; remove one first")));
        }
        let expires_at = days.map(|days| after(i64::from(days) * 24)).transpose()?;
        let (secret, _) = random_secret()?;
        let secret = Secret::new(format!("{TOKEN_PREFIX}{}", secret.expose()));
        let sha256 = hashed(secret.expose());
        let token = Token { role, created_at: Timestamp::now(), created_by: by.to_owned(), expires_at, sha256 };
        self.kept.tokens.insert(id.to_owned(), token);
        self.write()?;
        Ok(Made { id: id.to_owned(), secret })
    }

    /// Removes a token.
    pub(crate) fn remove_token(&mut self, id: &str) -> Result<(), AccountError> {
        self.kept.tokens.remove(id).ok_or_else(|| AccountError::Missing(format!("there is no token `{id}`")))?;
        self.write()
    }

    /// Somebody must be left who can let others in.
    fn check_not_last(&self, name: &str) -> Result<(), AccountError> {
        let is_admin = |(_, user): &(&String, &User)| user.role == Role::Admin;
        let mut admins = self.kept.users.iter().filter(is_admin).map(|(name, _)| name.as_str());
        if admins.next() == Some(name) && admins.next().is_none() {
            return Err(AccountError::Refused(format!("`{name}` is the last administrator; make another one first")));
        }
        Ok(())
    }

    /// So that after a crash the file is either the old one or the new one. What could not be written does not hold.
    fn write(&mut self) -> Result<(), AccountError> {
        let failed = |error: std::io::Error| AccountError::Failed(format!("{}: {error}", self.path.display()));
        let text = serde_json::to_vec_pretty(&self.kept).map_err(|error| AccountError::Failed(error.to_string()))?;
        let fresh = self.path.with_extension("new");
        let done = (|| {
            let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
            file.write_all(&text)?;
            file.sync_all()?;
            fs::rename(&fresh, &self.path)?;
            self.path.parent().map_or(Ok(()), |folder| fs::File::open(folder)?.sync_all())
        })();
        if let Err(error) = done {
            if let Ok(text) = fs::read(&self.path)
                && let Ok(kept) = serde_json::from_slice(&text)
            {
                self.kept = kept;
            }
            return Err(failed(error));
        }
        Ok(())
    }
}

fn hashed_password(name: &str, secret: &str) -> Result<String, AccountError> {
    password::check(name, secret).map_err(AccountError::Refused)?;
    password::hash(secret).map_err(AccountError::Failed)
}

fn unknown(name: &str) -> AccountError {
    AccountError::Missing(format!("there is no user `{name}`"))
}

fn check_name(name: &str) -> Result<(), AccountError> {
    let is_name = (1..=NAME_BYTES).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-@+".contains(&byte));
    if is_name { Ok(()) } else { Err(AccountError::Refused(NAME_HELP.to_owned())) }
}

fn after(hours: i64) -> Result<Timestamp, AccountError> {
    Timestamp::now()
        .checked_add(hours.hours())
        .map_err(|_| AccountError::Refused("that is beyond every calendar; name fewer days".to_owned()))
}

/// Where they are kept, in the state folder.
const FILE: &str = "accounts.json";
/// For how long the link of the first start works.
const SETUP_HOURS: i64 = 24;
/// What tokens begin with, so that scanners of secrets know them.
const TOKEN_PREFIX: &str = "pct_";
/// Users at most, and tokens at most.
const ACCOUNTS_MAX: usize = 1000;
/// Bytes of a name.
const NAME_BYTES: usize = 64;
const NAME_HELP: &str = "a name has 1 to 64 letters, digits, `.`, `_`, `-`, `@` and `+`";

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "vier Störche im Nebel";

    fn open(folder: &Path) -> Accounts {
        Accounts::open(folder).unwrap()
    }

    #[test]
    fn the_first_user_comes_by_a_link_that_works_once() {
        let folder = tempfile::tempdir().unwrap();
        let mut accounts = open(folder.path());
        assert!(accounts.set_up("", "ann", GOOD).is_err(), "no link was made");
        let old = accounts.setup_link().unwrap().unwrap();
        let link = accounts.setup_link().unwrap().unwrap();
        assert!(accounts.set_up(old.expose(), "ann", GOOD).is_err(), "another was made since");
        assert!(accounts.set_up(link.expose(), "ann", "short").is_err());
        assert!(accounts.needs_setup());
        accounts.set_up(link.expose(), "ann", GOOD).unwrap();
        assert!(accounts.set_up(link.expose(), "eve", GOOD).is_err(), "once");
        assert!(accounts.setup_link().unwrap().is_none(), "there is a user");
        let users = open(folder.path()).users();
        assert_eq!((users.len(), users[0].role, users[0].has_password), (1, Role::Admin, true));
        let text = fs::read_to_string(folder.path().join(FILE)).unwrap();
        assert!(text.contains("$argon2id$") && !text.contains("Nebel"));
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(folder.path().join(FILE)).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn the_last_administrator_stays() {
        let folder = tempfile::tempdir().unwrap();
        let mut accounts = open(folder.path());
        accounts.add("ann", Role::Admin, Some(GOOD)).unwrap();
        accounts.add("ben", Role::Viewer, Some(GOOD)).unwrap();
        assert!(accounts.remove("ann").is_err() && accounts.change("ann", Some(Role::Author), None).is_err());
        accounts.change("ben", Some(Role::Admin), None).unwrap();
        accounts.remove("ann").unwrap();
        assert!(accounts.remove("ann").is_err());
        assert!(accounts.add("ben", Role::Viewer, None).is_err(), "there is one");
        for name in ["", "a b", "../x", "ü", &"a".repeat(65), "a\u{202e}b"] {
            assert!(accounts.add(name, Role::Viewer, None).is_err(), "{name}");
        }
    }

    #[test]
    fn passwords_are_changed_and_nobody_has_a_hash_too() {
        let folder = tempfile::tempdir().unwrap();
        let mut accounts = open(folder.path());
        accounts.add("ann", Role::Admin, Some(GOOD)).unwrap();
        assert!(password::verify(GOOD, &accounts.hash_of("ann")));
        assert!(!password::verify(GOOD, &accounts.hash_of("eve")));
        assert!(accounts.signed_in("eve").unwrap().is_none());
        assert_eq!(accounts.signed_in("ann").unwrap().unwrap().role, Role::Admin);
        accounts.change("ann", None, Some("acht Reiher am Ufer")).unwrap();
        let accounts = open(folder.path());
        assert!(!password::verify(GOOD, &accounts.hash_of("ann")) && accounts.users()[0].last_at.is_some());
    }

    #[test]
    fn tokens_open_as_long_as_they_last() {
        let folder = tempfile::tempdir().unwrap();
        let mut accounts = open(folder.path());
        let made = accounts.add_token("siem", Role::Viewer, Some(30), "ann").unwrap();
        assert!(made.secret.expose().starts_with("pct_"));
        let accounts_again = open(folder.path());
        let actor = accounts_again.token(made.secret.expose()).unwrap();
        assert_eq!((actor.name.as_str(), actor.role), ("token:siem", Role::Viewer));
        assert!(accounts_again.token("pct_x").is_none() && accounts_again.token("").is_none());
        assert!(accounts.add_token("siem", Role::Viewer, None, "ann").is_err());
        let over = accounts.add_token("old", Role::Admin, Some(0), "ann").unwrap();
        assert!(accounts.token(over.secret.expose()).is_none(), "its time is over");
        accounts.remove_token("siem").unwrap();
        assert!(accounts.token(made.secret.expose()).is_none());
    }

    #[test]
    fn who_has_no_password_does_not_sign_in_with_one() {
        let folder = tempfile::tempdir().unwrap();
        let mut accounts = open(folder.path());
        accounts.add("cara@example.com", Role::Reviewer, None).unwrap();
        assert!(accounts.signed_in("cara@example.com").unwrap().is_none());
    }

    fn proof(name: &str, subject: &str, role: Option<Role>) -> Proof {
        Proof { name: name.to_owned(), subject: format!("https://id.example#{subject}"), role }
    }

    fn admitted(name: &str, role: Role, is_changed: bool) -> Admitted {
        Admitted::As(Actor { name: name.to_owned(), role }, is_changed)
    }

    #[test]
    fn groups_let_in_raise_lower_and_shut_out() {
        let folder = tempfile::tempdir().unwrap();
        let mut accounts = open(folder.path());
        assert_eq!(accounts.admit(&proof("ann", "1", None)).unwrap(), Admitted::Unknown(None));
        assert!(accounts.needs_setup(), "nobody was made");
        let first = accounts.admit(&proof("ann", "1", Some(Role::Viewer))).unwrap();
        assert_eq!(first, admitted("ann", Role::Viewer, false));
        let mut accounts = open(folder.path());
        let raised = accounts.admit(&proof("ann", "1", Some(Role::Admin))).unwrap();
        assert_eq!(raised, admitted("ann", Role::Admin, true));
        let renamed = accounts.admit(&proof("anna", "1", Some(Role::Reviewer))).unwrap();
        assert_eq!(renamed, admitted("ann", Role::Reviewer, true), "who it is counts, not what they are called");
        assert_eq!(accounts.admit(&proof("ann", "1", None)).unwrap(), Admitted::Unknown(Some("ann".to_owned())));
        assert!(accounts.change("ann", Some(Role::Admin), None).is_err(), "it would be undone the next time");
        assert!(accounts.admit(&proof("not a name", "2", Some(Role::Viewer))).is_err());
    }

    #[test]
    fn nobody_at_the_provider_becomes_somebody_else_here() {
        let folder = tempfile::tempdir().unwrap();
        let mut accounts = open(folder.path());
        accounts.add("root", Role::Admin, Some(GOOD)).unwrap();
        accounts.add("cara", Role::Reviewer, None).unwrap();
        let evil = proof("root", "6", Some(Role::Viewer));
        assert_eq!(accounts.admit(&evil).unwrap(), Admitted::Taken("root".to_owned()), "who has a password");
        let cara = accounts.admit(&proof("cara", "3", None)).unwrap();
        assert_eq!(cara, admitted("cara", Role::Reviewer, false), "an administrator made her");
        let cara = accounts.admit(&proof("cara", "3", Some(Role::Admin))).unwrap();
        assert_eq!(cara, admitted("cara", Role::Reviewer, false), "and groups do not change what was given");
        let other = accounts.admit(&proof("cara", "4", Some(Role::Admin))).unwrap();
        assert_eq!(other, Admitted::Taken("cara".to_owned()), "the name was given to another person");
        accounts.change("cara", None, Some(GOOD)).unwrap();
        let again = accounts.admit(&proof("cara", "3", None)).unwrap();
        assert_eq!(again, Admitted::Taken("cara".to_owned()), "who has a password now");
    }

    #[test]
    fn a_damaged_file_is_told_and_not_written_over() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE), "{").unwrap();
        assert!(Accounts::open(folder.path()).unwrap_err().to_string().contains("accounts.json"));
    }
}
