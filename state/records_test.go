package state

// The records of this package's tests. They have the names and forms of some that region has, but this package must not
// care.
type user struct {
	Name   string   `json:"name"`
	ARN    string   `json:"arn"`
	Groups []string `json:"groups,omitempty"`
}

type accessKey struct {
	ID   string `json:"id"`
	User string `json:"user"`
}

type counter struct {
	Count int `json:"count"`
}

var (
	users    = NewTable[user]("user")
	keys     = NewTable[accessKey]("access-key")
	counters = NewTable[counter]("counter")

	usersByGroup = NewIndex(users, "group", func(u user) []string { return u.Groups })
	keysByOwner  = NewIndex(keys, "owner", func(k accessKey) []string { return []string{k.User} })

	testSchema = NewSchema(Indexed(users, usersByGroup), Indexed(keys, keysByOwner))
)

func newTestMemory(seeds ...func(tx *Txn)) *Memory { return NewMemory(testSchema, seeds...) }
