//! How much of everything the server takes, and what it says when that is exceeded (HTTP spec 2.1, 2.3, 7).

mod bodies;
mod headers;
mod rates;
mod strangers;
