//! The program's parts against real edges: each test starts what it needs on free ports, in a folder of its own.

mod web_api;
mod web_client;
mod web_guard;
mod web_metrics;
mod web_server;
