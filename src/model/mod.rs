//! Models on disk: manifest, verification, ONNX Runtime sessions on their own threads.
