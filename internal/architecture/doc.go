// Package architecture has tests only: of what docs/architecture.md says of the packages, and that imports go one way.
package architecture
