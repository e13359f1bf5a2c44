//! Harness of the black-box suites.
