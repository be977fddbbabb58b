//! To an address, as lines of JSON (<https://github.com/ndjson/ndjson-spec>), compressed with gzip.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};

use super::{Line, Undelivered, judge, text};
use crate::egress::Poster;

/// An HTTP receiver.
pub(in crate::audit::outputs) struct Http {
    poster: Poster,
}

impl Http {
    pub(super) fn new(poster: Poster) -> Self {
        Self { poster }
    }

    pub(super) async fn deliver(&self, lines: &[Line]) -> Result<(), Undelivered> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(text(lines).as_bytes()).map_err(Undelivered::away)?;
        let packed = packed.finish().map_err(Undelivered::away)?;
        judge(&self.poster.post(headers, packed.into()).await.map_err(Undelivered::away)?)
    }
}
