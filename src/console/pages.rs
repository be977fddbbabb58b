//! The console's pages: files of this program, without a build step and without a network. Nothing secret is in them; whoever opens one
//! without a session is asked to sign in.

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_FRAME_OPTIONS};
use http::{HeaderName, StatusCode};

/// Addresses that show a page; which one is the page's own affair.
pub(super) const PAGES: [&str; 14] = [
    "/",
    "/incidents",
    "/incidents/{id}",
    "/rules",
    "/rules/{id}",
    "/policy",
    "/models",
    "/principals",
    "/principals/{tenant}/{principal}",
    "/integrity",
    "/access",
    "/actions",
    "/login",
    "/setup",
];

/// Only files of this origin run and only they are asked; no markup is made from text (trusted types), and nobody frames it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'none'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

macro_rules! assets {
    ($($path:literal),* $(,)?) => {
        [$(($path, include_str!(concat!("pages/", $path)))),*]
    };
}

static ASSETS: &[(&str, &str)] = &assets![
    "app.js",
    "icon.svg",
    "pages.css",
    "review.css",
    "style.css",
    "theme.js",
    "lib/api.js",
    "lib/chart.js",
    "lib/code.js",
    "lib/dom.js",
    "lib/format.js",
    "lib/keys.js",
    "lib/list.js",
    "lib/live.js",
    "lib/router.js",
    "lib/session.js",
    "lib/shell.js",
    "lib/table.js",
    "lib/text.js",
    "lib/time.js",
    "lib/ui.js",
    "views/access.js",
    "views/actions.js",
    "views/incident-change.js",
    "views/incident-decide.js",
    "views/incident-passages.js",
    "views/incident.js",
    "views/incidents.js",
    "views/integrity.js",
    "views/login.js",
    "views/models.js",
    "views/overview-figures.js",
    "views/overview-tables.js",
    "views/overview.js",
    "views/policy.js",
    "views/principal.js",
    "views/principals.js",
    "views/rule.js",
    "views/rules.js",
    "views/setup.js",
];

/// The document of every page.
pub(super) async fn page() -> Response {
    answer("text/html; charset=utf-8", include_str!("pages/index.html"))
}

/// A file that pages are made of.
pub(super) async fn asset(Path(path): Path<String>) -> Response {
    let Some((_, content)) = ASSETS.iter().find(|(known, _)| *known == path) else {
        return (StatusCode::NOT_FOUND, "no such file\n").into_response();
    };
    let kind = match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        _ => "image/svg+xml",
    };
    answer(kind, content)
}

fn answer(kind: &'static str, content: &'static str) -> Response {
    let headers = [
        (CONTENT_TYPE, kind),
        (CONTENT_SECURITY_POLICY, POLICY),
        (REFERRER_POLICY, "no-referrer"),
        (X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    (headers, content).into_response()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path as FilePath;

    use super::*;

    fn files(folder: &FilePath, found: &mut Vec<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                files(&path, found);
            } else {
                found.push(path.to_str().unwrap().split_once("console/pages/").unwrap().1.to_owned());
            }
        }
    }

    #[test]
    fn every_file_is_served_and_none_is_missing() {
        let mut found = Vec::new();
        files(FilePath::new("src/console/pages"), &mut found);
        found.retain(|path| path != "index.html");
        found.sort();
        let mut served: Vec<_> = ASSETS.iter().map(|(path, _)| (*path).to_owned()).collect();
        served.sort();
        assert_eq!(served, found);
    }

    #[test]
    fn pages_make_no_markup_from_text_and_reach_nobody() {
        for (path, content) in ASSETS.iter().chain(&[("index.html", include_str!("pages/index.html"))]) {
            for word in [
                "innerHTML",
                "outerHTML",
                "insertAdjacentHTML",
                "document.write",
                "eval(",
                "new Function",
                "http://",
                "https://",
            ] {
                let allowed = word == "http://"
                    && content.matches(word).all(|_| {
                        content
                            .match_indices(word)
                            .all(|(at, _)| content[at..].starts_with("http://www.w3.org/2000/svg"))
                    });
                assert!(!content.contains(word) || allowed, "{path} has {word}");
            }
            if path.ends_with(".html") {
                assert!(
                    !content.contains("style=")
                        && !content.contains("<script>")
                        && !content.split_whitespace().any(|word| word.starts_with("on") && word.contains('=')),
                    "{path}"
                );
            }
        }
    }
}
