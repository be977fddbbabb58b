//! The modules that fuzz targets need, compiled from the crate's own files: what reads bytes, without servers, stores and
//! models, so that a build with counters takes a minute and not ten. That they compile alone is worth something by itself:
//! the pure set has grown no hidden need of the rest.

#![forbid(unsafe_code)]
#![allow(dead_code, reason = "some items serve modules that are not here")]

#[path = "../src/base/mod.rs"]
pub mod base;

/// Of connections, what configuration can say of them.
#[path = "."]
pub mod egress {
    #[path = "../src/egress/guard.rs"]
    mod guard;
    #[path = "../src/egress/place.rs"]
    mod place;
    #[path = "../src/egress/url.rs"]
    mod url;

    pub use guard::Reach;
    pub use place::{ObjectsConfig, Place};
    pub use url::web_url;
}
#[path = "../src/telemetry/mod.rs"]
pub mod telemetry;
#[path = "../src/text/mod.rs"]
pub mod text;
#[path = "../src/verdict/mod.rs"]
pub mod verdict;
#[path = "../src/yaml/mod.rs"]
pub mod yaml;

#[path = "../src/access/mod.rs"]
pub mod access;

#[path = "../src/rules/mod.rs"]
pub mod rules;

#[path = "../src/scan/mod.rs"]
pub mod scan;

#[path = "../src/inspect/mod.rs"]
pub mod inspect;

#[path = "../src/protocol/mod.rs"]
pub mod protocol;
#[path = "../src/route/mod.rs"]
pub mod route;

/// Of the record, what configuration can say of it.
#[path = "."]
pub mod audit {
    #[path = "../src/audit/texts/files.rs"]
    mod files;
    #[path = "../src/audit/outputs/config.rs"]
    mod outputs;
    #[path = "../src/audit/proof/public_key.rs"]
    mod public_key;
    #[path = "../src/audit/retention.rs"]
    mod retention;

    pub use files::TextKeyFiles;
    pub use outputs::{
        EventType, FACILITIES, OutputConfig, ReceiverConfig, SinkConfig, SyslogConfig, Transport, WebhookSecret,
    };
    pub use public_key::PublicKey;
    pub use retention::{Classes, Keep, Retention, SYSTEM};
}

/// Of models in a store, what configuration can say of them.
#[path = "."]
pub mod model {
    #[path = "."]
    pub mod registry {
        #[path = "../src/model/registry/pushed.rs"]
        mod pushed;
        pub use pushed::Pushed;
    }
}

/// Of data sets, what configuration can say of them.
#[path = "."]
pub mod review {
    #[path = "."]
    pub mod datasets {
        #[path = "../src/review/datasets/config.rs"]
        mod config;
        pub use config::{DatasetsConfig, EVAL_PERCENT, PER_PRINCIPAL, QUARANTINE_DAYS};
    }
}

/// Of the console, what configuration can say of it.
#[path = "."]
pub mod console {
    #[path = "../src/console/config.rs"]
    mod config;
    #[path = "."]
    mod who {
        #[path = "../src/console/who/role.rs"]
        mod role;
        pub use role::Role;
    }

    pub use config::{ConsoleConfig, GroupRoles, OidcConfig};
    pub use who::Role;
}

#[path = "../src/config/mod.rs"]
pub mod config;
