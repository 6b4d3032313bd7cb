//! Runs a strip one lane at a time, for tests of every target.
