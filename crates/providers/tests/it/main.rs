//! Clients of providers against local servers that speak the providers' real wires.

mod openai;
