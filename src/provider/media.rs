//! Content types, read strictly: which of the two kinds we can inspect a body is.

use http::HeaderMap;
use http::header::CONTENT_TYPE;

/// A media type that can be inspected.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Media {
    /// `text/event-stream`.
    EventStream,
    /// `application/json`.
    Json,
}

impl Media {
    /// The media type that the head names, or what is wrong with it. One field; parameters other than a `charset` of UTF-8
    /// are refused, since they could mean another reading of the bytes.
    pub fn of(headers: &HeaderMap) -> Result<Self, String> {
        let mut fields = headers.get_all(CONTENT_TYPE).iter();
        let first = fields.next().ok_or_else(|| "no Content-Type".to_owned())?;
        if fields.next().is_some() {
            return Err("more than one Content-Type".to_owned());
        }
        let text = first.to_str().map_err(|_| "a Content-Type that is not ASCII".to_owned())?;
        let shown = || text.chars().take(80).collect::<String>();
        let mut parts = text.split(';');
        let essence = parts.next().unwrap_or_default().trim().to_ascii_lowercase();
        let media = match essence.as_str() {
            "application/json" => Self::Json,
            "text/event-stream" => Self::EventStream,
            _ => return Err(format!("Content-Type {:?}", shown())),
        };
        let mut seen = false;
        for parameter in parts {
            let parameter = parameter.trim();
            if parameter.is_empty() {
                continue;
            }
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
            let known = name.eq_ignore_ascii_case("charset")
                && (value.eq_ignore_ascii_case("utf-8") || value.eq_ignore_ascii_case("utf8"));
            if !known || seen {
                return Err(format!("Content-Type {:?} (the one parameter taken is charset=utf-8)", shown()));
            }
            seen = true;
        }
        Ok(media)
    }

    /// The value that we write ourselves.
    pub fn name(self) -> &'static str {
        match self {
            Self::EventStream => "text/event-stream",
            Self::Json => "application/json",
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn of(values: &[&str]) -> Result<Media, String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(CONTENT_TYPE, HeaderValue::from_str(value).unwrap());
        }
        Media::of(&headers)
    }

    #[test]
    fn the_two_kinds_are_known() {
        for value in [
            "application/json",
            "Application/JSON",
            "application/json; charset=utf-8",
            "application/json;charset=\"UTF-8\"",
            "application/json;",
        ] {
            assert_eq!(of(&[value]), Ok(Media::Json), "{value}");
        }
        assert_eq!(of(&["text/event-stream; charset=utf-8"]), Ok(Media::EventStream));
    }

    #[test]
    fn all_else_is_refused() {
        for values in [
            &[][..],
            &["application/json", "application/json"],
            &["text/plain"],
            &["application/jsonp"],
            &["application/json, text/plain"],
            &["application/json; charset=utf-16"],
            &["application/json; charset=utf-8; charset=utf-7"],
            &["application/json; boundary=x"],
            &["application/json; charset"],
            &["application/vnd.api+json"],
            &[""],
        ] {
            assert!(of(values).is_err(), "{values:?}");
        }
    }
}
