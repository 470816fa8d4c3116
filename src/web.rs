//! The web server: the only place that names `warp`.
