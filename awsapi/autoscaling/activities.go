package autoscaling

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"tripod/awsapi/wire"
	"tripod/region"
	"tripod/state"
)

const (
	// keptActivities is how many scaling activities a group keeps, and spareActivities by how many it may have more
	// before the oldest go. deletedActivities bounds those of groups that are gone.
	keptActivities, spareActivities = 100, 20
	deletedActivities               = 2000
	// activitiesLast is for how long they are shown.
	activitiesLast = 6 * 7 * 24 * time.Hour
)

// The status codes of activities that are used here.
const (
	activityPreInService = "PreInService"
	activityInProgress   = "InProgress"
	activityWaits        = "MidLifecycleAction"
	activityDrains       = "WaitingForELBConnectionDraining"
	activitySuccessful   = "Successful"
	activityFailed       = "Failed"
	activityCancelled    = "Cancelled"
)

// note writes a new activity of the group and returns its key.
func note(tx *state.Txn, g region.AutoScalingGroup, a region.ScalingActivity, now time.Time) (string,
	region.ScalingActivity) {
	a.ID, a.Group, a.GroupARN = wire.NewRequestID(), g.Name, g.ARN
	a.Start = trimActivities(tx, g.Name, now)
	if done(a.Status) {
		a.End = now
	}
	key := region.ActivityKey(g.Name, a.Start, a.ID)
	region.ScalingActivities.Put(tx, key, a)
	return key, a
}

func done(status string) bool {
	return status == activitySuccessful || status == activityFailed || status == activityCancelled
}

// trimActivities deletes a group's oldest activities where there are too many, and returns the start of the next one:
// those of one moment keep their order.
func trimActivities(tx *state.Txn, group string, now time.Time) time.Time {
	// Behind the prefix of another group's name, which may go on with a slash, stands more than a time and an id.
	keys := slices.DeleteFunc(slices.Collect(region.ScalingActivities.Part(group+"/").KeysAfter(tx, "")),
		func(key string) bool { return strings.Count(key[len(group)+1:], "/") != 1 })
	if len(keys) >= keptActivities+spareActivities {
		for _, key := range keys[:len(keys)-keptActivities] {
			region.ScalingActivities.Delete(tx, key)
		}
	}
	if len(keys) == 0 || keys[len(keys)-1] < region.ActivityKey(group, now, "") {
		return now
	}
	last, _ := region.ScalingActivities.Get(tx, keys[len(keys)-1])
	return last.Start.Add(time.Nanosecond)
}

// forgetActivities deletes the oldest of the activities whose groups are gone, where there are too many.
func forgetActivities(tx *state.Txn) {
	if region.ScalingActivities.Part("").Fewer(tx, deletedActivities) {
		return
	}
	type gone struct {
		key   string
		start time.Time
	}
	var all []gone
	for key, a := range region.ScalingActivities.Part("").After(tx, "") {
		if g, found := region.AutoScalingGroups.Get(tx, a.Group); !found || g.ARN != a.GroupARN {
			all = append(all, gone{key, a.Start})
		}
	}
	slices.SortFunc(all, func(a, b gone) int { return a.start.Compare(b.start) })
	for _, a := range all[:max(0, len(all)-deletedActivities/2)] {
		region.ScalingActivities.Delete(tx, a.key)
	}
}

// progress changes the activity with that key, if it is there still and not over. ended says that it is over by this.
func progress(tx *state.Txn, key, status string, percent int, message string, now time.Time) (a region.ScalingActivity,
	ended bool) {
	a, found := region.ScalingActivities.Get(tx, key)
	if !found || key == "" || done(a.Status) || a.Status == status {
		return a, false
	}
	a.Status, a.Progress = status, percent
	if message != "" {
		a.Message = clipText(message, maxMessage)
	}
	if done(status) {
		a.End = now
	}
	region.ScalingActivities.Put(tx, key, a)
	return a, done(status)
}

// maxMessage is how long an activity's StatusMessage is at most.
const maxMessage = 255

// details are an activity's Details, as AWS writes them.
func details(a region.ScalingActivity) string {
	text, _ := json.Marshal(struct {
		Subnet string `json:"Subnet ID,omitempty"`
		Zone   string `json:"Availability Zone,omitempty"`
	}{a.Subnet, a.Zone})
	return string(text)
}
