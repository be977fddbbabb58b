//! The admin port: health, metrics, and the API of the record.
