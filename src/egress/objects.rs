//! Objects in a store: a folder, S3 and what speaks its protocol, Google Cloud Storage. Requests go over our own connector, so that
//! the same addresses are reached and refused as everywhere.

use std::fmt;
use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use object_store::aws::AmazonS3Builder;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody, HttpResponse, HttpResponseBody,
    HttpService,
};
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ClientOptions, ObjectStore, ObjectStoreExt, PutMode, RetryConfig};
use tokio::time::timeout;

use super::connect::Connector;
use super::place::{ObjectsConfig, Place};
use super::web::chain;

/// Objects under one prefix.
#[derive(Clone)]
pub struct Objects {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
    place: String,
}

impl fmt::Debug for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Objects({})", self.place)
    }
}

/// What went wrong with an object: a sentence that names it, and no key.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{place}, {name}: {why}")]
pub struct ObjectsError {
    place: String,
    name: String,
    why: String,
}

impl Objects {
    /// Opens a place; nothing is connected yet. A folder is made when it is not there.
    ///
    /// # Errors
    /// A sentence that says what cannot be used.
    pub fn open(config: &ObjectsConfig) -> Result<Self, String> {
        let roots = match &config.ca_file {
            None => Vec::new(),
            Some(path) => {
                fs::read(path).map_err(|error| format!("ca_file {} cannot be read: {error}", path.display()))?
            }
        };
        let connector = Connector::new(&roots, config.reach, CONNECT).map_err(|why| format!("ca_file: {why}"))?;
        let http = Http { connector };
        let retry = RetryConfig { max_retries: RETRIES, retry_timeout: RETRYING, ..RetryConfig::default() };
        let wrong = |error: object_store::Error| format!("{config}: {}", chain(&error));
        let (store, prefix): (Arc<dyn ObjectStore>, &str) = match &config.place {
            Place::Folder(path) => {
                let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
                made.map_err(|error| format!("{} cannot be made: {error}", path.display()))?;
                (Arc::new(LocalFileSystem::new_with_prefix(path).map_err(wrong)?.with_fsync(true)), "")
            }
            Place::S3 { bucket, prefix, endpoint, region, key: (id, secret) } => {
                let mut builder = AmazonS3Builder::new()
                    .with_bucket_name(bucket)
                    .with_region(region)
                    .with_access_key_id(id.expose())
                    .with_secret_access_key(secret.expose())
                    .with_retry(retry)
                    .with_http_connector(http);
                if let Some(endpoint) = endpoint {
                    builder = builder
                        .with_endpoint(endpoint.to_string().trim_end_matches('/'))
                        .with_client_options(ClientOptions::new().with_allow_http(true));
                }
                (Arc::new(builder.build().map_err(wrong)?), prefix)
            }
            Place::Gcs { bucket, prefix, endpoint, service_account } => {
                let mut builder = GoogleCloudStorageBuilder::new()
                    .with_bucket_name(bucket)
                    .with_service_account_key(service_account.expose())
                    .with_retry(retry)
                    .with_http_connector(http);
                if let Some(endpoint) = endpoint {
                    builder = builder
                        .with_base_url(endpoint.to_string().trim_end_matches('/'))
                        .with_client_options(ClientOptions::new().with_allow_http(true));
                }
                (Arc::new(builder.build().map_err(wrong)?), prefix)
            }
        };
        Ok(Self { store, prefix: Path::from(prefix), place: config.to_string() })
    }

    /// Where it is, for people.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Puts an object there, or in the place of the one of that name.
    ///
    /// # Errors
    /// The store's.
    pub async fn put(&self, name: &str, content: Bytes) -> Result<(), ObjectsError> {
        let path = self.path(name);
        self.within(name, self.store.put(&path, content.into())).await.map(drop)
    }

    /// Puts an object there if there is none of that name; `false`: there is.
    ///
    /// # Errors
    /// The store's.
    pub async fn create(&self, name: &str, content: Bytes) -> Result<bool, ObjectsError> {
        let path = self.path(name);
        let put = async {
            match self.store.put_opts(&path, content.into(), PutMode::Create.into()).await {
                Ok(_) => Ok(true),
                Err(object_store::Error::AlreadyExists { .. }) => Ok(false),
                Err(error) => Err(error),
            }
        };
        self.within(name, put).await
    }

    /// Puts an object there that will never change; `false`: another one of that name is there.
    ///
    /// # Errors
    /// The store's.
    pub async fn keep(&self, name: &str, content: Bytes) -> Result<bool, ObjectsError> {
        let bytes = content.len() as u64;
        if self.create(name, content.clone()).await? {
            return Ok(true);
        }
        Ok(self.read(name, bytes).await? == Some(Ok(content)))
    }

    /// Removes an object; it is well when there is none.
    ///
    /// # Errors
    /// The store's.
    pub async fn delete(&self, name: &str) -> Result<(), ObjectsError> {
        let path = self.path(name);
        let deleted = async {
            match self.store.delete(&path).await {
                Err(object_store::Error::NotFound { .. }) => Ok(()),
                deleted => deleted,
            }
        };
        self.within(name, deleted).await
    }

    /// Gives an object; `None`: there is none.
    ///
    /// # Errors
    /// The store's; an object of more than `limit` bytes.
    pub async fn get(&self, name: &str, limit: u64) -> Result<Option<Bytes>, ObjectsError> {
        match self.read(name, limit).await? {
            Some(Err(size)) => Err(self.error(name, format!("it has {size} bytes, and {limit} at most are read"))),
            Some(Ok(content)) => Ok(Some(content)),
            None => Ok(None),
        }
    }

    /// An object, or the size of one that is larger than `limit`.
    async fn read(&self, name: &str, limit: u64) -> Result<Option<Result<Bytes, u64>>, ObjectsError> {
        let path = self.path(name);
        let read = async {
            match self.store.get(&path).await {
                Ok(found) if found.meta.size > limit => Ok(Some(Err(found.meta.size))),
                Ok(found) => Ok(Some(Ok(found.bytes().await?))),
                Err(object_store::Error::NotFound { .. }) => Ok(None),
                Err(error) => Err(error),
            }
        };
        self.within(name, read).await
    }

    /// The names of all objects under a prefix, sorted.
    ///
    /// # Errors
    /// The store's; more than a million of them.
    pub async fn list(&self, under: &str) -> Result<Vec<String>, ObjectsError> {
        let path = self.path(under);
        let listed = async { self.store.list(Some(&path)).take(LISTED_MAX + 1).try_collect::<Vec<_>>().await };
        let found = self.within(under, listed).await?;
        if found.len() > LISTED_MAX {
            return Err(self.error(under, format!("there are more than {LISTED_MAX} objects")));
        }
        let names = found.into_iter().filter_map(|object| {
            let rest: Vec<String> =
                object.location.prefix_match(&self.prefix)?.map(|part| part.as_ref().to_owned()).collect();
            Some(rest.join("/"))
        });
        let mut names: Vec<String> = names.collect();
        names.sort();
        Ok(names)
    }

    fn path(&self, name: &str) -> Path {
        Path::from_iter(self.prefix.parts().chain(Path::from(name).parts()))
    }

    async fn within<T>(
        &self,
        name: &str,
        work: impl Future<Output = Result<T, object_store::Error>>,
    ) -> Result<T, ObjectsError> {
        match timeout(OBJECT, work).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(error)) => Err(self.error(name, chain(&error))),
            Err(_) => Err(self.error(name, format!("not done within {} s", OBJECT.as_secs()))),
        }
    }

    fn error(&self, name: &str, why: String) -> ObjectsError {
        ObjectsError { place: self.place.clone(), name: name.to_owned(), why }
    }
}

/// Makes clients for stores.
#[derive(Debug)]
struct Http {
    connector: Connector,
}

impl HttpConnector for Http {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        let pool = Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(POOL_IDLE)
            .build(self.connector.clone());
        Ok(HttpClient::new(Pool(pool)))
    }
}

/// A pool of connections, as stores use it.
#[derive(Debug)]
struct Pool(Client<Connector, HttpRequestBody>);

#[async_trait::async_trait]
impl HttpService for Pool {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let sent = timeout(REQUEST, self.0.request(request)).await;
        let late = |late| HttpError::new(HttpErrorKind::Timeout, late);
        let response = sent.map_err(late)?.map_err(|error| {
            let kind = if error.is_connect() { HttpErrorKind::Connect } else { HttpErrorKind::Request };
            HttpError::new(kind, error)
        })?;
        let (head, body) = response.into_parts();
        let body = body.map_err(|error| HttpError::new(HttpErrorKind::Interrupted, error));
        Ok(HttpResponse::from_parts(head, HttpResponseBody::new(body)))
    }
}

/// Time to connect.
const CONNECT: Duration = Duration::from_secs(10);
/// Time for the head of an answer, and for what is sent before it.
const REQUEST: Duration = Duration::from_secs(120);
/// Time for one object, with all tries.
const OBJECT: Duration = Duration::from_secs(300);
/// Objects that are listed at once.
const LISTED_MAX: usize = 1_000_000;
/// Tries after the first.
const RETRIES: usize = 4;
/// Time after which nothing is tried again.
const RETRYING: Duration = Duration::from_secs(60);
/// Idle time after which a pooled connection is closed.
const POOL_IDLE: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::egress::Reach;

    #[tokio::test]
    async fn a_folder_keeps_what_it_is_given() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::Folder(folder.path().join("made/here"));
        let objects = Objects::open(&ObjectsConfig { place, reach: Reach::Written, ca_file: None }).unwrap();
        assert_eq!(objects.get("a/b.json", 10).await.unwrap(), None);
        objects.put("a/b.json", Bytes::from_static(b"12345")).await.unwrap();
        objects.put("a/c d.json", Bytes::from_static(b"1")).await.unwrap();
        assert_eq!(objects.get("a/b.json", 5).await.unwrap().unwrap(), "12345");
        assert!(objects.get("a/b.json", 4).await.unwrap_err().to_string().contains("5 bytes"));
        assert_eq!(objects.list("a").await.unwrap(), ["a/b.json", "a/c d.json"]);
        assert_eq!(objects.list("none").await.unwrap(), [] as [String; 0]);
        assert!(!objects.create("a/b.json", Bytes::from_static(b"other")).await.unwrap());
        assert!(objects.create("new/c.json", Bytes::from_static(b"1")).await.unwrap());
        for (content, is_same) in [("1", true), ("2", false), ("", false)] {
            assert_eq!(objects.keep("new/c.json", Bytes::from(content)).await.unwrap(), is_same, "{content}");
        }
        assert_eq!(objects.get("new/c.json", 10).await.unwrap().unwrap(), "1");
        objects.delete("a/b.json").await.unwrap();
        objects.delete("a/b.json").await.unwrap();
        assert_eq!(objects.list("").await.unwrap(), ["a/c d.json", "new/c.json"]);
        // Nothing leaves the folder.
        objects.put("../../out", Bytes::new()).await.unwrap();
        assert!(!folder.path().join("out").exists());
    }
}
