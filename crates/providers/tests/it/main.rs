//! Clients of providers against local servers that speak the providers' real wires.

#[path = "../../src/stub/exchange.rs"]
mod exchange;
mod openai;
