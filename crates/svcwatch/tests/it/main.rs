//! The program against the outside world: each file tests one part with servers that it starts itself.

mod cli_bad_input;
mod cli_help;
mod cli_support;
mod demo_fleet;
mod demo_program;
mod dest_http;
mod dest_http_hostile;
mod dest_mqtt_hostile;
mod dest_smtp;
mod dest_support;
mod feed_commands;
mod feed_direct;
mod feed_influxdb;
mod feed_story;
mod feed_support;
mod run_secrets;
mod run_story;
mod run_support;
mod run_trouble;
mod web_api;
mod web_client;
mod web_guard;
mod web_metrics;
mod web_server;
