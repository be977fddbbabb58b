//! The real binary, started with a configuration of its own on free loopback ports, driven from outside, killed on drop.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// Long enough for a loaded machine; only ever waited out by a test that fails.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Variables of ours that a tester may set for the appliances under test; all others are taken away from them.
const PASSED_ON: [&str; 2] = ["PORTCULLIS_MODEL__FOLDER", "PORTCULLIS_ONNXRUNTIME"];

/// What an appliance is started with: the shipped example, changed where a test needs it.
pub struct Settings {
    text: String,
    environment: Vec<(String, String)>,
}

impl Settings {
    /// The shipped example with these `providers` (YAML, one list entry or several), free ports, and the checkout's rules
    /// and model.
    pub fn new(providers: &str) -> Self {
        let example = include_str!("../../portcullis.yaml");
        let (head, rest) = example.split_once("\nproviders:\n").expect("the example has providers");
        let (_, tail) = rest.split_once("\naccess:\n").expect("the example has access after them");
        let checkout = env!("CARGO_MANIFEST_DIR");
        Self { text: format!("{head}\nproviders:\n{providers}\naccess:\n{tail}"), environment: Vec::new() }
            .with("data: 127.0.0.1:8080", "data: 127.0.0.1:0")
            .with("admin: 127.0.0.1:9090", "admin: 127.0.0.1:0")
            .with("state: ./var", "state: state")
            .with("folders: [rules]", &format!("folders: ['{checkout}/rules']"))
            .with("folder: models/guard", &format!("folder: '{checkout}/models/guard'"))
            .with("threads: 0", "threads: 1")
    }

    /// One provider without authentication that serves every model.
    pub fn for_upstream(address: SocketAddr) -> Self {
        Self::new(&format!("  - {{ name: up, base_url: 'http://{address}/v1', auth: none, models: ['*'] }}"))
    }

    /// Judged by rules alone: for tests whose verdicts must not hang on a model's probabilities.
    pub fn rules_only(mut self) -> Self {
        let (head, rest) = self.text.split_once("\n  model: ").expect("the policy has thresholds for the model");
        let (levels, tail) = rest.split_once("\n  faults:").expect("the faults stand after them");
        let unasked = |trust| format!("\n    {trust}: {{ flag: null, block: null }}");
        let unasked: String = ["operator", "user", "untrusted", "provider"].map(unasked).concat();
        assert!(levels.contains("untrusted:"), "{levels}");
        self.text = format!("{head}\n  model:{unasked}\n  faults:{tail}");
        let folder = format!("folder: '{}/models/guard'", env!("CARGO_MANIFEST_DIR"));
        self.with(&folder, "folder: no-model").with("model_missing: block", "model_missing: degrade")
    }

    /// Replaces a part of the text, which must stand there.
    pub fn with(mut self, from: &str, to: &str) -> Self {
        assert!(self.text.contains(from), "the configuration has no `{from}`:\n{}", self.text);
        self.text = self.text.replacen(from, to, 1);
        self
    }

    /// What the configuration file would hold.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Sets a limit.
    pub fn limit(mut self, name: &str, value: u64) -> Self {
        if !self.text.contains("\nlimits:\n") {
            self.text.push_str("\nlimits:\n");
        }
        self.text.push_str(&format!("  {name}: {value}\n"));
        self
    }

    /// Sets a variable of the environment.
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// An appliance that is not started yet.
    pub fn prepare(self) -> Appliance {
        Appliance::prepare(self)
    }

    /// Starts the appliance and waits until it is ready.
    pub fn start(self) -> Appliance {
        let mut appliance = self.prepare();
        appliance.start();
        appliance
    }

    /// Runs the appliance to its end, for configurations that must not start.
    pub fn run_to_its_end(self) -> Output {
        let appliance = Appliance::prepare(self);
        appliance.command(&["run"]).output().expect("the binary runs")
    }
}

/// An appliance with its own folder, running or not.
pub struct Appliance {
    folder: TempDir,
    environment: Vec<(String, String)>,
    running: Option<Running>,
    output: Arc<Mutex<String>>,
}

struct Running {
    child: Child,
    data: SocketAddr,
    admin: SocketAddr,
    readers: Vec<thread::JoinHandle<()>>,
}

impl Appliance {
    fn prepare(settings: Settings) -> Self {
        let folder = tempfile::Builder::new().prefix("portcullis-e2e-").tempdir().unwrap();
        fs::write(folder.path().join("portcullis.yaml"), settings.text).unwrap();
        Self { folder, environment: settings.environment, running: None, output: Arc::default() }
    }

    /// A command of the binary with this appliance's configuration. `--config` stands last, as all subcommands take it.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
        for (name, _) in std::env::vars_os() {
            let ours = name.to_str().is_some_and(|name| name.starts_with("PORTCULLIS_") && !PASSED_ON.contains(&name));
            if ours {
                command.env_remove(name);
            }
        }
        // By a relative path, as most people do.
        command.args(arguments).args(["--config", "portcullis.yaml"]);
        command.envs(self.environment.iter().map(|(name, value)| (name, value))).current_dir(self.folder.path());
        command.stdin(Stdio::null());
        command
    }

    /// Runs a command to its end and gives what it wrote on stdout; it must end well.
    pub fn ask(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "portcullis {arguments:?}: {}\n{out}\n{err}", output.status);
        out.into_owned()
    }

    /// As [`Self::ask`], for commands that answer in JSON.
    pub fn ask_json(&self, arguments: &[&str]) -> Value {
        let text = self.ask(arguments);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("portcullis {arguments:?}: {error}\n{text}"))
    }

    /// Starts it (again, on the same state), on other ports.
    pub fn start(&mut self) {
        assert!(self.running.is_none(), "it runs already");
        let mut child = self.command(&["run"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let begun = self.output.lock().unwrap().len();
        let readers = vec![
            capture(child.stdout.take().unwrap(), &self.output),
            capture(child.stderr.take().unwrap(), &self.output),
        ];
        let unknown = SocketAddr::from(([127, 0, 0, 1], 0));
        self.running = Some(Running { child, data: unknown, admin: unknown, readers });
        let deadline = Instant::now() + PATIENCE;
        loop {
            let said = self.output.lock().unwrap()[begun..].to_owned();
            if let (Some(data), Some(admin)) = (port(&said, "data port"), port(&said, "admin port"))
                && let Some(running) = &mut self.running
            {
                (running.data, running.admin) = (data, admin);
                break;
            }
            if let Some(status) = self.running.as_mut().and_then(|running| running.child.try_wait().unwrap()) {
                panic!("the appliance ended at its start: {status}");
            }
            assert!(Instant::now() < deadline, "the appliance does not start");
            thread::sleep(Duration::from_millis(10));
        }
        poll("ready", || get(self.admin(), "/readyz").is_ok_and(|reply| reply.starts_with("HTTP/1.1 200 ")));
    }

    /// Where the data port listens.
    pub fn data(&self) -> SocketAddr {
        self.running.as_ref().expect("it runs").data
    }

    /// Where the admin port listens.
    pub fn admin(&self) -> SocketAddr {
        self.running.as_ref().expect("it runs").admin
    }

    /// A URL of the data port.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.data())
    }

    /// A URL of the admin port.
    pub fn admin_url(&self, path: &str) -> String {
        format!("http://{}{path}", self.admin())
    }

    /// The admin token, from the state folder.
    pub fn token(&self) -> String {
        fs::read_to_string(self.state().join("admin-token")).unwrap()
    }

    /// The state folder.
    pub fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// The folder of the configuration, for files that it names.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// All that it wrote on stdout and stderr so far.
    pub fn output(&self) -> String {
        self.output.lock().unwrap().clone()
    }

    /// The metrics page.
    pub fn metrics(&self) -> String {
        let request = format!("GET /metrics HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n", self.token());
        let reply = raw(self.admin(), format!("{request}Connection: close\r\n\r\n").as_bytes()).unwrap();
        let reply = String::from_utf8(reply).unwrap();
        assert!(reply.starts_with("HTTP/1.1 200 "), "{reply}");
        reply
    }

    /// One counter with exactly these labels (`name{a="b"}`), 0 when it is not there.
    pub fn counter(&self, series: &str) -> u64 {
        let metrics = self.metrics();
        let value = metrics.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        value.map_or(0, |value| value.trim().parse().unwrap())
    }

    /// Exchanges in the record, newest first.
    pub fn record(&self) -> Vec<Value> {
        const PAGE: usize = 10_000;
        let mut all: Vec<Value> = Vec::new();
        loop {
            let limit = PAGE.to_string();
            let mut ask = vec!["audit", "list", "--json", "--limit", &limit];
            let last = all.last().map(|row| row["exchange_id"].as_str().unwrap().to_owned());
            ask.extend(last.iter().flat_map(|last| ["--before", last]));
            let Value::Array(rows) = self.ask_json(&ask) else { panic!("`audit list --json` is no array") };
            let is_last = rows.len() < PAGE;
            all.extend(rows);
            if is_last {
                return all;
            }
        }
    }

    /// Exchanges in the record once `done` says that all it waits for is there.
    pub fn record_when(&self, what: &str, mut done: impl FnMut(&[Value]) -> bool) -> Vec<Value> {
        let mut rows = Vec::new();
        poll(what, || {
            rows = self.record();
            done(&rows)
        });
        rows
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        let mut running = self.running.take().expect("it runs");
        running.child.kill().unwrap();
        running.child.wait().unwrap();
        running.readers.into_iter().for_each(|reader| reader.join().unwrap());
    }

    /// SIGTERM, without waiting.
    pub fn terminate(&self) {
        self.signal("TERM");
    }

    /// Sends a signal.
    pub fn signal(&self, name: &str) {
        let id = self.running.as_ref().expect("it runs").child.id();
        let status = Command::new("sh").args(["-c", &format!("kill -{name} {id}")]).status().unwrap();
        assert!(status.success());
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> ExitStatus {
        let running = self.running.as_mut().expect("it runs");
        let mut status = None;
        poll("the appliance's end", || {
            status = running.child.try_wait().unwrap();
            status.is_some()
        });
        let running = self.running.take().expect("it ran");
        running.readers.into_iter().for_each(|reader| reader.join().unwrap());
        status.expect("it ended")
    }

    /// SIGTERM, and waits for its end, which must be a good one.
    pub fn stop(&mut self) {
        self.terminate();
        let status = self.wait();
        assert!(status.success(), "{status}\n{}", self.output());
    }
}

impl Drop for Appliance {
    fn drop(&mut self) {
        if let Some(mut running) = self.running.take() {
            let _ = running.child.kill();
            let _ = running.child.wait();
            for reader in running.readers {
                let _ = reader.join();
            }
        }
        if thread::panicking() {
            let output = self.output.lock().map(|output| output.clone()).unwrap_or_default();
            let lines: Vec<&str> = output.lines().collect();
            let tail = lines[lines.len().saturating_sub(200)..].join("\n");
            println!("--- the appliance said:\n{tail}\n---");
        }
    }
}

/// Waits until `done`, looking again every few milliseconds; panics when that takes too long.
pub fn poll(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    let mut pause = Duration::from_millis(5);
    while !done() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(200));
    }
}

/// Sends bytes on a connection of their own and reads until the other side closes.
pub fn raw(address: SocketAddr, bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(bytes)?;
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply)?;
    Ok(reply)
}

fn get(address: SocketAddr, path: &str) -> std::io::Result<String> {
    let reply =
        raw(address, format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").as_bytes())?;
    Ok(String::from_utf8_lossy(&reply).into_owned())
}

fn capture(from: impl Read + Send + 'static, to: &Arc<Mutex<String>>) -> thread::JoinHandle<()> {
    let to = Arc::clone(to);
    thread::spawn(move || {
        let mut lines = BufReader::new(from);
        let mut line = Vec::new();
        while matches!(lines.read_until(b'\n', &mut line), Ok(1..)) {
            to.lock().unwrap().push_str(&String::from_utf8_lossy(&line));
            line.clear();
        }
    })
}

/// The address that the greeting names for a port.
fn port(greeting: &str, what: &str) -> Option<SocketAddr> {
    let line = greeting.lines().find(|line| line.trim_start().starts_with(what))?;
    let (_, after) = line.split_once("://")?;
    let end = after.find(|c: char| c != ':' && c != '.' && !c.is_ascii_digit()).unwrap_or(after.len());
    // Without what ends it, the line may still be on its way.
    (end < after.len()).then(|| after[..end].parse().ok())?
}
