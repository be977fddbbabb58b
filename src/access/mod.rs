//! Who calls: a key becomes a principal and a tenant.
