package fis

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/service/fis/types"

	"tripod/state"
)

// template is an experiment template.
type template struct {
	types.ExperimentTemplate
	record
}

// experiment is one that was started.
type experiment struct {
	types.Experiment
	record
	// Resolved are its targets, once it has begun.
	Resolved []types.ResolvedTarget `json:",omitempty"`
	// Effects are what its actions have done and have to take back, by the actions' names.
	Effects map[string]effect `json:",omitempty"`
	// Ending is why it is being stopped: it has failed, or somebody or something has stopped it.
	Ending ending `json:",omitzero"`
}

// ending is how an experiment ends before its actions do.
type ending struct {
	Status types.ExperimentStatus
	Reason string
	Code   string // of its error, where it failed
	Where  string // the action or target that failed
}

// effect is what an action has done.
type effect struct {
	// Until is when it is to be taken back, or is over; zero: at once.
	Until time.Time `json:"until,omitzero"`
	// NoticeAt is when spot instances are told of their interruption.
	NoticeAt time.Time `json:"noticeAt,omitzero"`
	// Faults are the keys of the faults that it put in force, Instances those that it has stopped or told, Shifts the zonal
	// shifts that it began.
	Faults    []string `json:"faults,omitempty"`
	Instances []string `json:"instances,omitempty"`
	Shifts    []string `json:"shifts,omitempty"`
	// Subnets are those that it has cut off.
	Subnets []disruption `json:"subnets,omitempty"`
}

// lever is the account's safety lever.
type lever struct {
	Engaged bool   `json:"engaged"`
	Reason  string `json:"reason"`
}

var (
	templates   = state.NewTable[template]("fis-template")     // by id
	experiments = state.NewTable[experiment]("fis-experiment") // by id
	// active has the ids of those experiments that have not ended, so that nobody reads all to find them.
	active = state.NewTable[string]("fis-active")
	levers = state.NewTable[lever]("fis-lever") // one: theLever
)

const theLever = "default"

// over says whether an experiment has ended.
func over(status types.ExperimentStatus) bool {
	switch status {
	case types.ExperimentStatusCompleted, types.ExperimentStatusStopped, types.ExperimentStatusFailed,
		types.ExperimentStatusCancelled:
		return true
	}
	return false
}

// put writes an experiment, and whether it is still to be driven.
func put(tx *state.Txn, e experiment) {
	experiments.Put(tx, *e.Id, e)
	if over(e.State.Status) {
		active.Delete(tx, *e.Id)
	} else {
		active.Put(tx, *e.Id, *e.Id)
	}
}
