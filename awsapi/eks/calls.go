package eks

import (
	"fmt"
	"iter"
	"maps"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/iam"
	"tripod/region"
	"tripod/state"
)

// Probes are the questions that the stored resources ask of other parts of Tripod.
type Probes struct {
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// now is the time of a change, in the milliseconds that the API writes.
func (s *Service) now() time.Time {
	now := s.Probes.Now
	if now == nil {
		now = time.Now
	}
	return now().UTC().Truncate(time.Millisecond)
}

// arn is the ARN of one of the service's resources: kind/CLUSTER/NAME/...
func (s *Service) arn(parts ...string) string {
	return "arn:aws:eks:" + s.Region + ":" + s.AccountID + ":" + strings.Join(parts, "/")
}

// clusterNamed is the cluster of that name, or ResourceNotFoundException.
func clusterNamed(tx *state.Txn, name string) (region.Cluster, error) {
	if cluster, found := region.ClusterNamed(tx, name); found {
		return cluster, nil
	}
	return region.Cluster{}, about{cluster: name}.notFound("No cluster found for name: %s.", name)
}

// mustBeActive refuses what EKS does with ACTIVE clusters only.
func mustBeActive(cluster region.Cluster) error {
	if cluster.Status == region.ClusterActive {
		return nil
	}
	return about{cluster: cluster.Name}.invalidRequest(
		"Cluster %s is %s: wait until it is ACTIVE (aws eks wait cluster-active) and try again.", cluster.Name,
		cluster.Status)
}

// mustExist refuses what a cluster that comes or goes cannot have changed. An update of the cluster is no hindrance.
func mustExist(cluster region.Cluster) error {
	if cluster.Status == region.ClusterUpdating {
		return nil
	}
	return mustBeActive(cluster)
}

// target is what a call means: a cluster, or one of its resources.
type target struct {
	cluster string
	kind    keeper // nil: the cluster itself
	name    string
}

// authorize refuses the call where the principal may not do it to the target. EKS's ARNs end in an id that the caller
// does not know; where there is no such resource, the id is a *, so that a policy for the name still counts and the
// answer does not tell what exists.
func (s *Service) authorize(call *operation.Call, t target) error {
	arn := s.clusterARN(t.cluster)
	if t.kind != nil {
		arn = s.arn(t.kind.kindName(), t.cluster, t.name, "*")
	}
	var tags map[string]string
	var entry iam.Keys
	err := s.State.View(func(tx *state.Txn) error {
		cluster, err := clusterNamed(tx, t.cluster)
		switch {
		case err != nil: // the call itself says so, once it is allowed
		case t.kind == nil:
			tags = cluster.Tags
		default:
			if known, its := t.kind.find(tx, cluster.ID, t.name); known != "" {
				arn, tags = known, its
			}
			if t.kind.kindName() == accessEntries.kind {
				entry = entryKeys(tx, cluster, t.name)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	// What a request says of an entry counts before what the entry has.
	return ask(call, arn, iam.TagKeys("aws:ResourceTag", tags), entry, requestKeys(call))
}

// authorizeARN refuses the call where the principal may not do it to what has that ARN.
func (s *Service) authorizeARN(call *operation.Call, arn string) error {
	var tags map[string]string
	err := s.State.View(func(tx *state.Txn) error {
		resource, _ := s.resourceWithARN(tx, arn)
		tags = resource.tags
		return nil
	})
	if err != nil {
		return err
	}
	return ask(call, arn, iam.TagKeys("aws:ResourceTag", tags))
}

// ask refuses the call where the principal may not do it to the resource, or may not tag what it makes where the call
// gives tags.
func ask(call *operation.Call, arn string, about ...iam.Keys) error {
	if err := call.Authorize(wire.RestJSON, Name+":"+call.Operation, arn, about...); err != nil {
		return err
	}
	made, makes := makings[call.Operation]
	if !makes || call.Keys["aws:tagkeys"] == nil {
		return nil
	}
	if made.kind != "" {
		arn = strings.Replace(arn, ":cluster/", ":"+made.kind+"/", 1) + "/" +
			strings.Join(append(call.Input.Values(made.name), "*"), "/")
	}
	return call.Authorize(wire.RestJSON, Name+":TagResource", arn)
}

// change is a call's work inside its transaction, with the effects that were decided on before it.
type change struct {
	tx      *state.Txn
	cluster region.Cluster
	now     time.Time
	id      string // a fresh UUID
	call    *operation.Call
	lenient bool // what the call names need not be there
}

// changeOf runs a call that changes something of a cluster: authorized first, then in one transaction in which the
// cluster exists and fits, and once only for each clientRequestToken. do returns the answer and the ARN of what was
// made, if anything was.
func changeOf[In, Out any](s *Service, call *operation.Call, t target, fits func(region.Cluster) error, token *string,
	in *In,
	do func(change) (*Out, string, error)) (*Out, error) {
	if err := s.authorize(call, t); err != nil {
		return nil, err
	}
	return inTransaction(s, call, token, in, func(tx *state.Txn, c change, attempt *idempotent) (*Out, error) {
		var err error
		if c.cluster, err = clusterNamed(tx, t.cluster); err != nil {
			return nil, err
		}
		return once(tx, attempt, c.cluster.ID, func() (*Out, string, error) {
			if err := fits(c.cluster); err != nil {
				return nil, "", err
			}
			return do(c)
		})
	})
}

// changeAccount is as changeOf for what belongs to no cluster.
func changeAccount[In, Out any](s *Service, call *operation.Call, arn string, token *string, in *In,
	do func(change) (*Out, string, error)) (*Out, error) {
	if err := s.authorizeARN(call, arn); err != nil {
		return nil, err
	}
	return inTransaction(s, call, token, in, func(tx *state.Txn, c change, attempt *idempotent) (*Out, error) {
		return once(tx, attempt, "", func() (*Out, string, error) { return do(c) })
	})
}

func inTransaction[Out any](s *Service, call *operation.Call, token *string, in any,
	do func(*state.Txn, change, *idempotent) (*Out, error)) (*Out, error) {
	attempt, err := s.idempotent(call, token, in)
	if err != nil {
		return nil, err
	}
	id := wire.NewRequestID()
	var out *Out
	err = s.State.Update(call.Request.Context(), func(tx *state.Txn) error {
		var err error
		out, err = do(tx, change{tx: tx, now: attempt.now, id: id, call: call, lenient: s.LenientReferences}, attempt)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", call.Operation, err)
	}
	return out, nil
}

// readOf runs a call that reads something of a cluster.
func readOf(s *Service, call *operation.Call, t target, read func(tx *state.Txn, cluster region.Cluster) error) error {
	if err := s.authorize(call, t); err != nil {
		return err
	}
	return s.State.View(func(tx *state.Txn) error {
		cluster, err := clusterNamed(tx, t.cluster)
		if err != nil {
			return err
		}
		return read(tx, cluster)
	})
}

// mergeTags are the tags after others were added.
func mergeTags(tags, added map[string]string) map[string]string {
	merged := maps.Clone(tags)
	if merged == nil {
		merged = map[string]string{}
	}
	maps.Copy(merged, added)
	return merged
}

// newUpdate is the update that a call asks for, of the cluster itself.
func (c change) newUpdate(kind types.UpdateType, params []region.UpdateParam) region.Update {
	return region.Update{ID: c.id, ClusterID: c.cluster.ID, Type: string(kind), CreatedAt: c.now, Params: params}
}

// update records an update of the cluster as done, and returns it as its answer shows it: just begun. What is only
// recorded is true at once.
func (c change) update(kind types.UpdateType, params []region.UpdateParam) *types.Update {
	return describeUpdateRecord(region.RecordUpdate(c.tx, c.newUpdate(kind, params)))
}

// namesOf answers a list operation that gives the names of a cluster's resources.
func (s *Service) namesOf(call *operation.Call, kind keeper, cluster *string, maxResults *int32,
	token *string) (names []string, next *string, err error) {
	t := target{cluster: aws.ToString(cluster)}
	err = readOf(s, call, t, func(tx *state.Txn, cluster region.Cluster) error {
		names, next, err = pageOf(paging{call.Operation, []string{cluster.ID}, maxResults, token},
			func(after string) iter.Seq2[string, string] {
				return itsOwnKey(kind.namesAfter(tx, cluster.ID, after))
			})
		return err
	})
	return names, next, err
}
