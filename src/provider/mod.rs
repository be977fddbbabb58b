//! The outbound side: pools, TLS, authentication. Sends only what is cleared.
