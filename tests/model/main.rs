//! Tests of the models and the classifier on a tiny model (tests/data/model). They need ONNX Runtime:
//! `scripts/fetch-onnxruntime.sh` fetches it.

mod files;
mod judge;
mod support;
