//! Models on disk: manifest, verification, ONNX Runtime sessions on their own threads. Knows nothing of what scores mean.
//!
//! ```text
//! manifest.json ─► FileEntry::read (size, sha256) ─► onnx::check ─► runtime::load ─► Pool (sessions behind one queue)
//! ```

pub mod error;
pub mod file;
pub mod manifest;
pub mod onnx;
pub mod pool;
pub mod queue;
pub mod registry;
pub mod runtime;
pub mod session;
mod wire;

pub use error::ModelError;
pub use file::FileEntry;
pub use manifest::{LABELS, MANIFEST, Manifest, WindowShape};
pub use pool::{Pool, PoolConfig};
pub use queue::{Job, Logits, Reply, Window};
pub use registry::Figures;
pub use session::{CLASSES, ModelSession, SessionShape};
