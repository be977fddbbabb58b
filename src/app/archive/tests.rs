//! What is kept, what is let go of, and what is not believed.

use std::os::unix::fs::PermissionsExt;

use super::*;

struct Site {
    folder: tempfile::TempDir,
    rules: PathBuf,
}

impl Site {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let rules = folder.path().join("rules");
        fs::create_dir_all(rules.join("leak")).unwrap();
        Self { folder, rules }
    }

    fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    fn open(&self, limits: &Limits) -> Archive {
        Archive::open(&self.state(), limits).unwrap()
    }

    fn keep(&self, archive: &mut Archive, version: &str, content: &str, step: Step) {
        self.keep_as(archive, (version, version), content, step);
    }

    fn keep_as(&self, archive: &mut Archive, (version, source): (&str, &str), content: &str, step: Step) {
        fs::write(self.rules.join("leak/site.yaml"), content).unwrap();
        let folders = [self.rules.clone()];
        let captured = capture(&folders, &Limits::default()).unwrap();
        let written = written();
        let keeping = Keeping {
            version,
            source,
            origin: Origin::Api,
            rules: 1,
            written: &written,
            folders: &folders,
            captured: &captured,
        };
        archive.keep(&keeping, step).unwrap();
    }
}

fn written() -> Written {
    let environment = [("PORTCULLIS_POLICY__STREAM__BLOCK_END", "hold"), ("PATH", "/bin"), ("PORTCULLIS_STATE", "x")];
    let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    Written::kept(PathBuf::from("portcullis.yaml"), "config".to_owned(), environment)
}

fn version(number: usize) -> String {
    format!("{number:012x}")
}

fn back(version: &str) -> Step {
    Step::Back(Pin { version: version.to_owned(), files: "f".to_owned(), since: Timestamp::now() })
}

fn versions(archive: &Archive) -> Vec<String> {
    archive.kept().into_iter().map(|kept| kept.version).collect()
}

#[test]
fn what_is_kept_comes_back_as_it_was() {
    let site = Site::new();
    let mut archive = site.open(&Limits::default());
    site.keep(&mut archive, &version(1), "one", Step::Forward);
    site.keep(&mut archive, &version(2), "two", Step::Forward);
    drop(archive);
    let archive = site.open(&Limits::default());
    let restored = archive.restore(&version(1)).unwrap();
    assert_eq!(fs::read_to_string(restored.folders[0].join("leak/site.yaml")).unwrap(), "one");
    assert!(restored.folders[0].ends_with("rules/0/rules"));
    assert_eq!(restored.written.content(), "config");
    let environment = restored.written.policy_environment();
    assert_eq!(environment, [("PORTCULLIS_POLICY__STREAM__BLOCK_END".to_owned(), "hold".to_owned())]);
    assert_eq!(archive.previous(), Some(version(1).as_str()));
    // Nobody else reads it.
    let mut stack = vec![site.state().join(FOLDER)];
    let mut looked_at = 0;
    while let Some(path) = stack.pop() {
        let metadata = fs::metadata(&path).unwrap();
        looked_at += 1;
        if metadata.is_dir() {
            assert_eq!(metadata.permissions().mode() & 0o777, 0o700, "{}", path.display());
            stack.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if !path.ends_with("lock") {
            assert_eq!(metadata.permissions().mode() & 0o777, 0o600, "{}", path.display());
        }
    }
    assert!(looked_at > 10);
}

#[test]
fn one_process_at_a_time() {
    let site = Site::new();
    let archive = site.open(&Limits::default());
    assert!(matches!(Archive::open(&site.state(), &Limits::default()), Err(ArchiveError::Held)));
    assert!(Archive::is_open(&site.state()));
    drop(archive);
    assert!(!Archive::is_open(&site.state()) && !Archive::is_open(&site.rules));
    site.open(&Limits::default());
}

#[test]
fn back_goes_further_back_each_time_and_forward_goes_on_from_there() {
    let site = Site::new();
    let mut archive = site.open(&Limits::default());
    for number in 1..=3 {
        site.keep(&mut archive, &version(number), "x", Step::Forward);
    }
    site.keep(&mut archive, &version(2), "x", back(&version(2)));
    assert_eq!(archive.pin().map(|pin| pin.version.clone()), Some(version(2)));
    assert_eq!(archive.previous(), Some(version(1).as_str()));
    // The bad one, 3, is kept, and nothing leads back to it but its name.
    site.keep(&mut archive, &version(4), "x", Step::Forward);
    assert_eq!((archive.pin(), archive.previous()), (None, Some(version(2).as_str())));
    site.keep(&mut archive, &version(3), "x", back(&version(3)));
    assert_eq!(archive.previous(), Some(version(4).as_str()));
    site.keep(&mut archive, &version(1), "x", back(&version(1)));
    assert_eq!(archive.previous(), None);
    let kept = archive.kept();
    assert_eq!(
        kept.iter().filter(|kept| kept.in_force).map(|kept| kept.version.clone()).collect::<Vec<_>>(),
        [version(1)]
    );
    archive.unpin().unwrap();
    assert_eq!(archive.pin(), None);
    drop(archive);
    assert_eq!(site.open(&Limits::default()).pin(), None);
}

#[test]
fn a_policy_under_other_limits_is_no_other_policy() {
    let site = Site::new();
    let mut archive = site.open(&Limits::default());
    site.keep_as(&mut archive, (&version(1), "a"), "x", Step::Forward);
    site.keep_as(&mut archive, (&version(2), "b"), "x", Step::Forward);
    site.keep_as(&mut archive, (&version(3), "b"), "x", Step::Forward);
    assert_eq!(versions(&archive), [version(3), version(1)]);
    assert_eq!(archive.previous(), Some(version(1).as_str()));
    site.keep_as(&mut archive, (&version(4), "a"), "x", back(&version(4)));
    assert_eq!(versions(&archive), [version(4), version(3)]);
    assert_eq!(archive.previous(), None);
    archive.restore(&version(4)).unwrap();
}

#[test]
fn the_limits_hold_at_n_and_n_plus_1() {
    let site = Site::new();
    let limits = Limits { policies: 3, ..Limits::default() };
    let mut archive = site.open(&limits);
    for number in 1..=3 {
        site.keep(&mut archive, &version(number), "x", Step::Forward);
    }
    assert_eq!(versions(&archive), [version(3), version(2), version(1)]);
    site.keep(&mut archive, &version(4), "x", Step::Forward);
    assert_eq!(versions(&archive), [version(4), version(3), version(2)]);
    assert!(!site.state().join(FOLDER).join(version(1)).exists());
    drop(archive);
    // "config" and "0123456789": 16 bytes each.
    let exact = Limits { policies_bytes: 32, ..Limits::default() };
    let site = Site::new();
    let mut archive = site.open(&exact);
    site.keep(&mut archive, &version(1), "0123456789", Step::Forward);
    site.keep(&mut archive, &version(2), "0123456789", Step::Forward);
    assert_eq!(versions(&archive), [version(2), version(1)]);
    site.keep(&mut archive, &version(3), "0123456789A", Step::Forward);
    assert_eq!(versions(&archive), [version(3)]);
    // The one in force is kept whatever its size.
    site.keep(&mut archive, &version(4), &"x".repeat(100), Step::Forward);
    assert_eq!(versions(&archive), [version(4)]);
}

#[test]
fn what_was_changed_is_not_put_in_force_and_is_written_anew() {
    let site = Site::new();
    let mut archive = site.open(&Limits::default());
    site.keep(&mut archive, &version(1), "one", Step::Forward);
    let folder = site.state().join(FOLDER).join(version(1));
    let changes: [(&str, &str); 4] = [
        ("rules/0/rules/leak/site.yaml", "other"),
        ("rules/0/rules/leak/more.yaml", "one more"),
        ("config.yaml", "other"),
        ("manifest.json", "{}"),
    ];
    for (path, content) in changes {
        fs::write(folder.join(path), content).unwrap();
        assert!(archive.restore(&version(1)).unwrap_err().text.contains("cannot be used"), "{path}");
        site.keep(&mut archive, &version(1), "one", Step::Forward);
        archive.restore(&version(1)).unwrap();
    }
    fs::remove_dir_all(&folder).unwrap();
    assert!(archive.restore(&version(1)).is_err());
    for name in ["../../etc", "", "0", "00000000000g", "index.json", "0000000000001"] {
        assert!(archive.restore(name).unwrap_err().text.contains("is not kept"), "{name}");
    }
}

#[test]
fn what_a_crash_left_is_cleared_and_a_broken_index_is_told() {
    let site = Site::new();
    let mut archive = site.open(&Limits::default());
    site.keep(&mut archive, &version(1), "one", Step::Forward);
    drop(archive);
    let root = site.state().join(FOLDER);
    for name in [".new-000000000002", "000000000002", "notes"] {
        fs::create_dir(root.join(name)).unwrap();
    }
    let archive = site.open(&Limits::default());
    assert!(!root.join(".new-000000000002").exists() && !root.join("000000000002").exists());
    assert!(root.join("notes").exists(), "what is not ours stays");
    archive.restore(&version(1)).unwrap();
    drop(archive);
    fs::write(root.join("index.json"), "x").unwrap();
    let Err(ArchiveError::Io { what: "cannot read", .. }) = Archive::open(&site.state(), &Limits::default()) else {
        panic!("a broken index must not be taken for an empty one")
    };
}
