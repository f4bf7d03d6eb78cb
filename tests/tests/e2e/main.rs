//! The programs as their users meet them: real binaries, a real nginx, real files.
