//! Servers that the record is sent on to: `tests/clients/receiver.py` (official libraries over HTTP), rsyslog from Debian's packages,
//! and an S3 server.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tempfile::TempDir;

use super::appliance::poll;

/// The secret of [`Receiver`]'s webhooks.
pub const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A Python of the machine with the packages that `scripts/test.sh` installed.
pub fn python(script: &str) -> Command {
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR"));
    let packages = checkout.join(".cache/clients/python");
    assert!(
        packages.is_dir(),
        "{} is missing: run `scripts/test.sh` (`make test`), which installs it",
        packages.display()
    );
    let mut command = Command::new("python3");
    command.arg(checkout.join("tests/clients").join(script));
    command.env("PYTHONPATH", packages).env("PYTHONDONTWRITEBYTECODE", "1").env("PYTHONIOENCODING", "utf-8");
    command
}

/// A receiver over HTTP.
pub struct Receiver {
    child: Child,
    port: u16,
    seen: Arc<Mutex<Vec<Value>>>,
}

impl Receiver {
    pub fn start() -> Self {
        let mut child =
            python("receiver.py").env("SECRET", SECRET).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = lines.next().expect("the receiver says its port").unwrap().parse().unwrap();
        let seen = Arc::<Mutex<Vec<Value>>>::default();
        let keep = Arc::clone(&seen);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                keep.lock().unwrap().push(serde_json::from_str(&line).unwrap());
            }
        });
        Self { child, port, seen }
    }

    /// Its address, with what it is to answer in the query.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Every request so far.
    pub fn seen(&self) -> Vec<Value> {
        self.seen.lock().unwrap().clone()
    }

    /// What it took, in order.
    pub fn took(&self) -> Vec<Value> {
        let seen = self.seen();
        let taken = seen.iter().filter(|request| request["status"] == 200);
        taken.flat_map(|request| request["got"].as_array().unwrap().clone()).collect()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An S3 server that checks signatures, with one bucket.
pub struct S3 {
    child: Child,
    pub port: u16,
    pub id: String,
    pub secret: String,
}

impl S3 {
    pub fn start(bucket: &str) -> Self {
        let mut child = python("s3.py").arg(bucket).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let parts: Vec<&str> = line.split_whitespace().collect();
        let &[port, id, secret] = parts.as_slice() else { panic!("the S3 server says: {line}") };
        Self { port: port.parse().unwrap(), id: id.to_owned(), secret: secret.to_owned(), child }
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// rsyslog with one input of each kind.
pub struct Syslogd {
    folder: TempDir,
    child: Option<Child>,
    pub udp: u16,
    pub tcp: u16,
    pub tls: u16,
}

impl Syslogd {
    /// Starts one whose certificate is for `localhost`; [`Self::ca`] is whom to trust.
    pub fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("portcullis-syslog-").tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        fs::write(folder.path().join("certificate.pem"), made.cert.pem()).unwrap();
        fs::write(folder.path().join("key.pem"), made.signing_key.serialize_pem()).unwrap();
        let free = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let mut server = Self { folder, child: None, udp, tcp: free(), tls: free() };
        server.up();
        server
    }

    pub fn up(&mut self) {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(".cache/rsyslog");
        assert!(root.is_dir(), "{} is missing: run `scripts/fetch-rsyslog.sh`", root.display());
        let libraries = fs::read_dir(root.join("usr/lib")).unwrap().map(|entry| entry.unwrap().path());
        let libraries = libraries.into_iter().find(|path| path.join("rsyslog").is_dir()).unwrap();
        let at = |name: &str| self.folder.path().join(name).display().to_string();
        let config = format!(
            r#"global(workDirectory="{folder}" maxMessageSize="128k" defaultNetstreamDriverCAFile="{certificate}"
                      defaultNetstreamDriverCertFile="{certificate}" defaultNetstreamDriverKeyFile="{key}")
               module(load="imudp") module(load="imtcp") module(load="imuxsock" sysSock.use="off")
               template(name="told" type="string"
                        string="%pri%\t%protocol-version%\t%timestamp:::date-rfc3339%\t%hostname%\t%app-name%\t%procid%\t%msgid%\t%structured-data%\t%msg%\n")
               ruleset(name="keep") {{ action(type="omfile" file="{log}" template="told" flushOnTXEnd="on") }}
               input(type="imudp" address="127.0.0.1" port="{udp}" ruleset="keep")
               input(type="imtcp" address="127.0.0.1" port="{tcp}" ruleset="keep" streamDriver.name="ptcp")
               input(type="imtcp" address="127.0.0.1" port="{tls}" ruleset="keep" streamDriver.name="gtls" streamDriver.mode="1" streamDriver.authMode="anon")
               input(type="imuxsock" socket="{socket}" ruleset="keep" useSpecialParser="off" parseHostname="on" rateLimit.interval="0")
            "#,
            folder = self.folder.path().display(),
            certificate = at("certificate.pem"),
            key = at("key.pem"),
            log = at("log"),
            socket = at("socket"),
            udp = self.udp,
            tcp = self.tcp,
            tls = self.tls,
        );
        fs::write(self.folder.path().join("rsyslog.conf"), config).unwrap();
        let child = Command::new(root.join("usr/sbin/rsyslogd"))
            .args(["-n", "-iNONE", "-f", &at("rsyslog.conf"), "-M", &libraries.join("rsyslog").display().to_string()])
            .env("LD_LIBRARY_PATH", &libraries)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(self.folder.path().join("stderr")).unwrap())
            .spawn()
            .unwrap();
        self.child = Some(child);
        let tcp = [self.tcp, self.tls];
        poll("rsyslog", || tcp.iter().all(|port| TcpStream::connect((Ipv4Addr::LOCALHOST, *port)).is_ok()));
    }

    pub fn down(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    pub fn ca(&self) -> PathBuf {
        self.folder.path().join("certificate.pem")
    }

    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    /// What it wrote down, a message a line, its parts between tabs: see the template.
    pub fn messages(&self) -> Vec<Vec<String>> {
        let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        log.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect()
    }
}

impl Drop for Syslogd {
    fn drop(&mut self) {
        self.down();
    }
}
