// Package region is what the region means to be: the records of clusters, their parts and IAM, the tables of package
// state that hold them, and their rules. See DESIGN.md.
package region
