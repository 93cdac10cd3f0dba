//! Loops as their callers see them: routes, forks, queues, bodies, single passes, and how they end.

mod bodies;
mod endings;
mod fixtures;
mod forks;
mod plans;
mod queues;
mod random;
mod routes;
mod single;
