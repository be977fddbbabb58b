//! Listeners: hyper on the data port, drain, limits on connections.
