//! Rule files that commands read and write.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use crate::base::limits::rules as limits;
use crate::base::utf8;
use crate::cli::{ConfigArg, Failure};
use crate::rules::{self, Family};

/// Largest file that is imported.
const IMPORT_BYTES: u64 = 64 * 1024 * 1024;

/// A file that is not there yet.
pub(super) struct NewFile {
    pub(super) path: PathBuf,
}

impl NewFile {
    /// That its name would make it a rule file of this family, and that it is not there.
    pub(super) fn check(path: &Path, family: Family) -> Result<Self, Failure> {
        in_family(path, family)?;
        if path.exists() {
            return Err(exists(path));
        }
        Ok(Self { path: path.to_owned() })
    }

    /// Writes it, with the folders on the way; whatever came to be there in between stays.
    pub(super) fn write(&self, content: &str) -> Result<(), Failure> {
        let failed = |error: io::Error| Failure::job(format!("{} cannot be written: {error}", self.path.display()));
        if let Some(folder) = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        match OpenOptions::new().write(true).create_new(true).open(&self.path) {
            Ok(mut file) => file.write_all(content.as_bytes()).map_err(failed),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(exists(&self.path)),
            Err(error) => Err(failed(error)),
        }
    }
}

fn exists(path: &Path) -> Failure {
    Failure::usage(format!("{} is there already and is not overwritten; name another file", path.display()))
}

/// That a path names a rule file of this family.
pub(super) fn in_family(path: &Path, family: Family) -> Result<(), Failure> {
    let is_yaml = path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
    // It may lie below none of the folders of the configuration: every folder above it counts.
    if family.holds(Path::new(""), path) && is_yaml {
        return Ok(());
    }
    let name = family.name();
    Err(Failure::usage(format!("a rule file of this family is …/{name}/NAME.yaml, not {}", path.display())))
}

/// Writes a file in the place of another, whole or not at all.
pub(super) fn replace(path: &Path, content: &str) -> io::Result<()> {
    // A link stays one.
    let path = fs::canonicalize(path)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // Names that begin with a dot are no rule files.
    let beside = path.with_file_name(format!(".{name}.{}.new", std::process::id()));
    let written = fs::metadata(&path).and_then(|metadata| {
        let mut file = OpenOptions::new().write(true).create_new(true).open(&beside)?;
        file.write_all(content.as_bytes())?;
        file.set_permissions(metadata.permissions())?;
        file.sync_all()?;
        fs::rename(&beside, &path)
    });
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written
}

/// A text to import; `-` is standard input.
pub(super) fn read(path: &Path) -> Result<String, Failure> {
    let shown = path.display();
    let mut bytes = Vec::new();
    let read = match path == Path::new("-") {
        true => io::stdin().lock().take(IMPORT_BYTES + 1).read_to_end(&mut bytes),
        false => File::open(path).and_then(|file| file.take(IMPORT_BYTES + 1).read_to_end(&mut bytes)),
    };
    read.map_err(|error| Failure::usage(format!("{shown} cannot be read: {error}")))?;
    if bytes.len() as u64 > IMPORT_BYTES {
        return Err(Failure::usage(format!("{shown} has more than {IMPORT_BYTES} bytes")));
    }
    let text = utf8::text(&bytes);
    text.map(str::to_owned)
        .map_err(|found| Failure::usage(format!("{shown} cannot be read: {found}\n  help: {}", found.help())))
}

/// A rule file.
pub(super) fn read_rules(path: &Path) -> Result<String, Failure> {
    let text = read(path)?;
    if text.len() > limits::FILE_BYTES {
        let message =
            format!("{} has more than {} bytes, which no rule file may have", path.display(), limits::FILE_BYTES);
        return Err(Failure::usage(message));
    }
    Ok(text)
}

/// The ids that are taken: those of all rules that the configuration names, and those below the family's folder that holds
/// the file, which may lie elsewhere.
pub(super) fn ids(config: &ConfigArg, file: Option<(&Path, Family)>) -> Result<Vec<String>, Failure> {
    let folders = config.config()?.rules;
    let mut ids: Vec<String> = match rules::load(&folders) {
        Ok(loaded) => loaded.set.iter().map(|(_, rule)| rule.id.clone()).collect(),
        // The first rule of a site has none beside it.
        Err(found) if found.errors.iter().all(|error| error.code == rules::load::NO_RULE) => Vec::new(),
        Err(found) => return Err(Failure::usage(format!("the rules do not load:\n{found}"))),
    };
    let beside = file.and_then(|(file, family)| {
        file.ancestors().skip(1).find(|folder| folder.file_name().is_some_and(|name| name == family.name()))
    });
    if let Some(folder) = beside {
        let failed = |error| Failure::usage(format!("which ids are taken there cannot be told: {error}"));
        ids.extend(rules::ids::below(folder).map_err(failed)?);
    }
    Ok(ids)
}

/// A family by its name.
pub(super) fn family(name: &str) -> Result<Family, String> {
    let known = Family::ALL.map(Family::name).join(", ");
    Family::ALL.into_iter().find(|family| family.name() == name).ok_or_else(|| format!("use one of: {known}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_keeps_its_mode() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("a.yaml"), folder.path().join("link.yaml"));
        fs::write(&file, "old").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink("a.yaml", &link).unwrap();
        replace(&link, "new").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
        assert!(replace(&folder.path().join("none.yaml"), "x").is_err());
    }

    #[test]
    fn nothing_is_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secrets/x.yaml");
        let new = NewFile::check(&path, Family::Secrets).unwrap_or_else(|_| panic!("{path:?}"));
        assert!(new.write("1").is_ok() && new.write("2").is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "1");
        assert!(NewFile::check(&path, Family::Secrets).is_err());
        assert!(NewFile::check(&path.with_file_name("y.yaml"), Family::Leak).is_err());
        assert!(NewFile::check(&path.with_file_name("y.yml"), Family::Secrets).is_ok());
        assert!(NewFile::check(&path.with_file_name("y.txt"), Family::Secrets).is_err());
    }
}
