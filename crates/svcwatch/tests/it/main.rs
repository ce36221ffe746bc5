//! The program against the outside world: each file tests one part with servers that it starts itself.

mod cli_bad_input;
mod cli_destinations;
mod cli_help;
mod cli_schedule;
mod cli_support;
mod demo_fleet;
mod demo_program;
mod dest_chat;
mod dest_http;
mod dest_http_hostile;
mod dest_smtp;
mod dest_support;
mod run_secrets;
mod run_story;
mod run_support;
mod run_templates;
mod run_trouble;
mod web_api;
mod web_client;
mod web_guard;
mod web_metrics;
mod web_server;
