package api

// Verb is something that people do to a target: `tripod NAME TARGET`.
type Verb struct {
	Name string // kill
	// Fault is what it leaves in force, as the status, the metrics and `wait --for` show it; empty for a verb that mends.
	Fault string
	// Lift is the verb that takes the fault back. Reset takes back every fault.
	Lift string

	// The words of the command line: what is said when the effect is there, how it is taken back, and the help.
	Done        string // killed
	Undo        string // "brings it back", said of Lift; empty where nothing is said
	Short, Long string
}

// Verbs are what the targets in a zone take: the one list of them, in the order of the help. What each does to a zone
// is in package emulator (faults.go), what it does to an instance in package az (handleVerb). Faults of anything else are
// RecordFaults.
var Verbs = []Verb{
	{Name: "kill", Fault: StateKilled, Lift: "start", Done: "killed", Undo: "brings it back",
		Short: "Kill a zone or an instance with SIGKILL",
		Long: "No goodbye, but the data stays. A killed instance is replaced by its zone; a killed zone stays down until " +
			"'start' or 'reset'."},
	{Name: "pause", Fault: StatePaused, Lift: "resume", Done: "paused", Undo: "lets it go on",
		Short: "Freeze a zone or an instance: alive to TCP, dead to everybody",
		Long:  "Sends SIGSTOP; 'resume' or 'reset' ends it."},
	{Name: "resume", Done: "resumed", Short: "Let a paused zone or instance go on"},
	{Name: "stop", Fault: StateStopped, Lift: "start", Done: "stopped", Undo: "starts it again",
		Short: "Stop a zone or an instance gracefully",
		Long:  "It stays stopped, with its data, until 'start' or 'reset'."},
	{Name: "start", Done: "started", Short: "Start a zone or an instance that was stopped or killed"},
	{Name: Reset, Done: "reset", Short: "Make a target, or the whole region, healthy again",
		Long: "Without a target it undoes every fault of the region."},
}

// Reset is the verb that takes back every fault of a target.
const Reset = "reset"

// FindVerb finds one of Verbs by its name.
func FindVerb(name string) (Verb, bool) {
	for _, verb := range Verbs {
		if verb.Name == name {
			return verb, true
		}
	}
	return Verb{}, false
}

// FindFault finds the verb that leaves a fault, by how a status shows it.
func FindFault(fault string) (Verb, bool) {
	for _, verb := range Verbs {
		if fault != "" && verb.Fault == fault {
			return verb, true
		}
	}
	return Verb{}, false
}

// VerbNames are the names of Verbs, in their order.
func VerbNames() []string {
	names := make([]string, len(Verbs))
	for i, verb := range Verbs {
		names[i] = verb.Name
	}
	return names
}
