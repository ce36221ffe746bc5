//! What the fuzz targets do, one module for each crate that they try.

pub mod wire;
