//! A private PostgreSQL cluster on a free loopback port, in a temporary folder, stopped when dropped.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use portcullis::base::Secret;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection};
use tempfile::TempDir;

/// A running (or stopped) cluster.
pub struct Cluster {
    folder: TempDir,
    bin: PathBuf,
    user: Option<(u32, u32)>,
    port: u16,
    /// Whether it writes to the disk what it commits; most tests do not need that.
    fsync: bool,
}

pub const PASSWORD: &str = "correct-horse";

impl Cluster {
    /// Makes and starts one. Panics with the remedy when PostgreSQL is not installed.
    pub fn start() -> Self {
        Self::start_with(false)
    }

    /// The same, as PostgreSQL is usually run: what is committed is on the disk.
    pub fn durable() -> Self {
        Self::start_with(true)
    }

    fn start_with(fsync: bool) -> Self {
        let bin = find_bin();
        let folder = tempfile::Builder::new().prefix("portcullis-pg-").tempdir().unwrap();
        let user = is_root().then(postgres_user);
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(folder.path().join("password"), PASSWORD).unwrap();
        if let Some((uid, gid)) = user {
            for path in [folder.path().to_owned(), folder.path().join("password")] {
                std::os::unix::fs::chown(&path, Some(uid), Some(gid)).unwrap();
            }
        }
        let mut cluster = Self { folder, bin, user, port: 0, fsync };
        let password = cluster.path("password");
        cluster.run(
            "initdb",
            &[
                "-A",
                "scram-sha-256",
                "--pwfile",
                &password,
                "-U",
                "portcullis",
                "-E",
                "UTF8",
                "--locale=C",
                "--no-sync",
            ],
        );
        // Another process may take a free port before the server does: try some.
        for _ in 0..5 {
            cluster.port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            if cluster.try_up() {
                return cluster;
            }
        }
        panic!("PostgreSQL does not start: {}", fs::read_to_string(cluster.path("log")).unwrap_or_default());
    }

    /// The URL of a database.
    pub fn url(&self, database: &str) -> Secret {
        self.url_with(PASSWORD, database)
    }

    /// The same with another password.
    pub fn url_with(&self, password: &str, database: &str) -> Secret {
        Secret::new(format!("postgres://portcullis:{password}@127.0.0.1:{}/{database}", self.port))
    }

    /// Makes an empty database and gives its URL.
    pub async fn database(&self, name: &str) -> Secret {
        self.execute("postgres", &format!("CREATE DATABASE {name}")).await;
        self.url(name)
    }

    pub async fn connect(&self, database: &str) -> PgConnection {
        PgConnection::connect(self.url(database).expose()).await.unwrap()
    }

    pub async fn execute(&self, database: &str, sql: &str) {
        let mut connection = self.connect(database).await;
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
    }

    /// One number.
    pub async fn count(&self, database: &str, sql: &str) -> i64 {
        let mut connection = self.connect(database).await;
        sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_one(&mut connection).await.unwrap()
    }

    /// Stops the server at once, as a power switch would.
    pub fn down(&self) {
        self.run("pg_ctl", &["-m", "immediate", "-w", "stop"]);
    }

    /// Starts it again on the same port.
    pub fn up(&self) {
        assert!(self.try_up(), "{}", fs::read_to_string(self.path("log")).unwrap_or_default());
    }

    fn try_up(&self) -> bool {
        let options = format!(
            "-p {} -c listen_addresses=127.0.0.1 -c unix_socket_directories={} -c fsync={}",
            self.port,
            self.folder.path().display(),
            if self.fsync { "on" } else { "off" }
        );
        let log = self.path("log");
        self.command("pg_ctl", &["-w", "-l", &log, "-o", &options, "start"]).status().unwrap().success()
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let output = self.command(program, arguments).stderr(Stdio::piped()).output().unwrap();
        assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.bin.join(program));
        command.args(["-D", &self.path("data")]).args(arguments).current_dir(self.folder.path()).env_remove("PGDATA");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if let Some((uid, gid)) = self.user {
            command.uid(uid).gid(gid);
        }
        command
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = self.command("pg_ctl", &["-m", "immediate", "stop"]).status();
    }
}

fn find_bin() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let mut versions: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .map(|entries| entries.flatten().map(|entry| entry.path().join("bin")).collect())
        .unwrap_or_default();
    versions.sort();
    folders.extend(versions.into_iter().rev());
    let found = folders.into_iter().find(|folder| folder.join("initdb").exists() && folder.join("pg_ctl").exists());
    found.expect("no PostgreSQL server programs (initdb, pg_ctl) here: apt-get install postgresql")
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// PostgreSQL refuses to run as root; its package makes a user for it.
fn postgres_user() -> (u32, u32) {
    let users = fs::read_to_string(Path::new("/etc/passwd")).unwrap();
    let fields = users.lines().map(|line| line.split(':').collect::<Vec<_>>()).find(|fields| fields[0] == "postgres");
    let fields = fields.expect("no user postgres here: apt-get install postgresql");
    (fields[2].parse().unwrap(), fields[3].parse().unwrap())
}
