//! The provider client against the mock, over real sockets.
