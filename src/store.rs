//! SQLite: the only place that names `rusqlite`.
