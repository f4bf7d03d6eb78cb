//! Searches: own ones with their results, and the answers to those of others.
