//! The suite: workloads defined as data, each on every engine there is, side by side in processes of their own.

mod compare;
mod definition;
mod engines;
mod page;
mod race;
mod readme;
mod worker;

pub(crate) use race::measure;
pub(crate) use readme::update as update_readme;
pub(crate) use worker::serve;
