//! Content that cannot be seen here (images, audio, files): where it sits, and which kind it is.

use crate::inspect::OpaqueKind;
use crate::protocol::json::{Kind, Value};
use crate::text::Role;

use super::lift::Lift;
use super::words::same_folded;

impl Lift {
    /// Everything below `value`, which holds what cannot be seen.
    pub(super) fn unseen(&mut self, unseen: Unseen, value: Value<'_>, role: Role) {
        match value.kind() {
            Kind::String => {
                if !self.is_payload(unseen, value) {
                    self.text(value, role, None);
                }
            }
            Kind::Array => self.each(value, |lift, element| lift.unseen(unseen, element, role)),
            Kind::Object => self.members(value, role, |lift, name, member| {
                if unseen.is_beside(name) {
                    lift.content(name, member, role);
                } else {
                    lift.unseen(Unseen::of(name).unwrap_or(unseen), member, role);
                }
            }),
            Kind::Number => self.number("", value),
            Kind::True | Kind::False | Kind::Null => {}
        }
    }

    /// Notes the string `value` as content that cannot be seen; true when it is that content itself (base64) and not also a
    /// text, such as a URL or an id.
    pub(super) fn is_payload(&mut self, unseen: Unseen, value: Value<'_>) -> bool {
        let Some(text) = value.as_str().filter(|text| !text.is_empty()) else { return false };
        let is_data_url = text.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("data:"));
        let kind = match unseen {
            Unseen::Audio => OpaqueKind::Audio,
            Unseen::FileData => OpaqueKind::FileData,
            Unseen::FileId => OpaqueKind::FileId,
            Unseen::Image if is_data_url || !text.contains("://") => OpaqueKind::ImageData,
            Unseen::Image => OpaqueKind::ImageUrl,
        };
        self.opaque(kind);
        match kind {
            OpaqueKind::ImageData => is_base64_data_url(&text),
            OpaqueKind::Audio | OpaqueKind::FileData => is_base64_data_url(&text) || is_base64(&text),
            _ => false,
        }
    }

    /// A data URL is content that cannot be seen, under whatever key; it stays a text too.
    pub(super) fn note_data_url(&mut self, value: Value<'_>) {
        let Some(text) = value.as_str().filter(|text| is_base64_data_url(text)) else { return };
        let media = text.get(5..).unwrap_or_default();
        let is = |prefix: &str| media.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
        self.opaque(match () {
            () if is("audio/") => OpaqueKind::Audio,
            () if is("image/") => OpaqueKind::ImageData,
            () => OpaqueKind::FileData,
        });
    }
}

/// Content that cannot be seen, by the key that holds it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Unseen {
    Audio,
    FileData,
    FileId,
    Image,
}

impl Unseen {
    /// What a key's value hides. Compared without case: providers that ignore case would find the content there too.
    pub(super) fn of(key: &str) -> Option<Self> {
        const KEYS: &[(&str, Unseen)] = &[
            ("audio_embeds", Unseen::Audio),
            ("audio_url", Unseen::Audio),
            ("b64_json", Unseen::Image),
            ("file_data", Unseen::FileData),
            ("file_id", Unseen::FileId),
            ("file_ids", Unseen::FileId),
            ("file_url", Unseen::FileId),
            ("image", Unseen::Image),
            ("image_data", Unseen::Image),
            ("image_embeds", Unseen::Image),
            ("image_url", Unseen::Image),
            ("images", Unseen::Image),
            ("inline_data", Unseen::FileData),
            ("inlinedata", Unseen::FileData),
            ("input_audio", Unseen::Audio),
            ("input_image", Unseen::Image),
            ("multi_modal_data", Unseen::FileData),
            ("prompt_embeds", Unseen::FileData),
            ("video", Unseen::Image),
            ("video_url", Unseen::Image),
        ];
        KEYS.iter().find(|(name, _)| same_folded(key, name)).map(|&(_, unseen)| unseen)
    }

    /// True for members that stand beside the content and are texts or words like any other.
    fn is_beside(self, key: &str) -> bool {
        ["detail", "filename", "format", "media_type", "mime_type", "mimetype", "name", "type"]
            .iter()
            .any(|name| same_folded(key, name))
    }
}

/// True for an object that names the media type of what it holds, as other dialects' images and documents do.
pub(super) fn has_media_type(object: Value<'_>) -> bool {
    const KEYS: [&str; 3] = ["media_type", "mime_type", "mimetype"];
    let is_media_type =
        |key: Value<'_>| key.as_str().is_some_and(|key| KEYS.iter().any(|name| same_folded(&key, name)));
    object.members().any(|(key, _)| is_media_type(key))
}

/// True for `data:…;base64,…` with a short, plain media type and nothing but base64 after the comma.
fn is_base64_data_url(text: &str) -> bool {
    let Some((head, payload)) = text.split_once(',') else { return false };
    let head = head.to_ascii_lowercase();
    let Some(media) = head.strip_prefix("data:").and_then(|head| head.strip_suffix(";base64")) else { return false };
    media.len() <= 64
        && media.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/+-.;=_".contains(&byte))
        && is_base64(payload)
}

/// True when every byte belongs to the base64 alphabets (RFC 4648) or is a line end. Words without blanks look the same:
/// that is why what holds it is a named opaque kind.
fn is_base64(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/-_=\r\n".contains(&byte))
}
