// Package vended makes Amazon EKS's own metrics of a cluster's control plane, those of CloudWatch's namespace AWS/EKS, of what the
// components' processes tell in Prometheus' format: "Monitor cluster data with Amazon CloudWatch" of the user guide has their names.
//
// # What a datum is
//
// Each process's minute is one datum of each metric, with the cluster's name as its dimension. So sums are those of all API servers,
// as the guide wants them for counts, and averages are those of what each API server had: of sizes, and of the P99s, which are
// reckoned from one API server's requests of the minute.
//
// # Costs
//
// An API server has 10,000 to 20,000 series. They are read line by line, and only those of some families are taken apart; a Reading
// keeps some tens of numbers.
package vended
