package arczonalshift

import "tripod/awsapi/operation"

// documented are the lines of docs/operations.md: every operation of the API.
func documented() []operation.Documented {
	const shift = "until it ends, a zone's nodes are cordoned and its endpoints leave the EndpointSlices, and nothing is evicted; " +
		"a load balancer's node there leaves its name and its targets get nothing new, and connections stay"
	return operation.DocumentBy((&Service{}).API().Names(), []operation.Clause{
		{Words: []string{"StartPracticeRun", "CancelPracticeRun"}, State: operation.Works,
			Effect: "a zonal shift of 30 minutes; alarms and windows are not looked at"},
		{Words: []string{"PracticeRunConfiguration"}, State: operation.Recorded,
			Effect: "kept; practice runs start when they are asked for, not by themselves"},
		{Words: []string{"Autoshift"}, State: operation.Recorded, Effect: "kept; nobody starts an autoshift here"},
		{Words: []string{"ManagedResource"}, State: operation.Works,
			Effect: "the clusters with zonalShiftConfig enabled, and the Auto Scaling groups and load balancers with zonal shift enabled"},
		{Words: []string{"StartZonalShift"}, State: operation.Works,
			Effect: shift + "; a practice run and an experiment's shift end for it"},
		{Words: []string{"ListZonalShifts"}, State: operation.Works, Effect: "the shifts of the last 30 days"},
		{Words: []string{""}, State: operation.Works, Effect: shift},
	})
}
