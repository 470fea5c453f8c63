package arczonalshift

import (
	"slices"

	"tripod/awsapi/wire"
)

// Documented are the lines of docs/operations.md: every operation of the API.
func Documented() []wire.Documented {
	var names []string
	for operation := range (&Service{}).operations() {
		names = append(names, operation.ID().Name)
	}
	slices.Sort(names)
	return wire.DocumentBy(names, []wire.Clause{
		{Words: []string{"StartPracticeRun", "CancelPracticeRun"}, State: wire.Works, Effect: "a zonal shift of 30 minutes; alarms and windows are not looked at"},
		{Words: []string{"PracticeRunConfiguration"}, State: wire.Recorded, Effect: "kept; practice runs start when they are asked for, not by themselves"},
		{Words: []string{"Autoshift"}, State: wire.Recorded, Effect: "kept; nobody starts an autoshift here"},
		{Words: []string{"ManagedResource"}, State: wire.Works, Effect: "the clusters with zonalShiftConfig enabled"},
		{Words: []string{"ListZonalShifts"}, State: wire.Works, Effect: "the shifts of the last 30 days"},
		{Words: []string{""}, State: wire.Works, Effect: "the zone's nodes are cordoned and its endpoints leave the EndpointSlices, until it ends; nothing is evicted"},
	})
}
