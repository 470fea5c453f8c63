package eksauth

import "tripod/awsapi/wire"

// Documented are the lines of docs/operations.md.
func Documented() []wire.Documented {
	return []wire.Documented{{Operation: Operation, State: wire.Works,
		Effect: "credentials of the associated role, with session tags, session policy and target role; the caller's permission, the token and the roles' trust policies are checked; whether the pod still runs is not asked"}}
}
