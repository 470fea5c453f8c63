package eks

import (
	"fmt"
	"maps"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"

	"tripod/awsapi/operation"
	"tripod/region"
	"tripod/state"
)

const (
	maxTags     = 50
	maxTagKey   = 128
	maxTagValue = 256
)

// checkTags says what is wrong with a resource's tags, or returns "". The rules are "Tag restrictions" of the EKS user
// guide.
func checkTags(tags map[string]string) string {
	if len(tags) > maxTags {
		return fmt.Sprintf("A resource has at most %d tags; these would be %d.", maxTags, len(tags))
	}
	for key, value := range tags {
		switch {
		case key == "" || utf8.RuneCountInString(key) > maxTagKey:
			return fmt.Sprintf("The tag key %s must have 1 to %d characters.", quote(key), maxTagKey)
		case utf8.RuneCountInString(value) > maxTagValue:
			return fmt.Sprintf("The value of the tag %s must have at most %d characters.", quote(key), maxTagValue)
		case strings.HasPrefix(strings.ToLower(key), "aws:"):
			return fmt.Sprintf("The tag key %s begins with aws:, which is for AWS alone.", quote(key))
		}
	}
	return ""
}

// newTags are the tags of a new resource.
func (a about) newTags(tags map[string]string) (map[string]string, error) {
	if wrong := checkTags(tags); wrong != "" {
		return nil, a.invalidParameter("%s", wrong)
	}
	return mergeTags(tags, nil), nil
}

// tagged is a resource by its ARN.
type tagged struct {
	tags map[string]string
	set  func(map[string]string)
}

// resourceWithARN finds the resource of any kind with that ARN.
func (s *Service) resourceWithARN(tx *state.Txn, arn string) (tagged, bool) {
	rest, ours := strings.CutPrefix(arn, s.arn(""))
	kind, rest, cut := strings.Cut(rest, "/")
	if !ours || !cut {
		return tagged{}, false
	}
	clusterName, _, _ := strings.Cut(rest, "/")
	account := []keeper{connectedClusters, subscriptions}
	for _, shelf := range account {
		if tags, found := shelf.tagsOf(tx, "", arn); found {
			return tagged{tags, func(tags map[string]string) { shelf.setTags(tx, "", arn, tags) }}, true
		}
	}
	cluster, err := clusterNamed(tx, clusterName)
	if err != nil {
		return tagged{}, false
	}
	if arn == s.clusterARN(cluster.Name) {
		return tagged{clusterTags(cluster), func(tags map[string]string) { setClusterTags(tx, cluster.ID, tags) }}, true
	}
	for _, shelf := range clusterShelves {
		if shelf.kindName() != kind {
			continue
		}
		if tags, found := shelf.tagsOf(tx, cluster.ID, arn); found {
			return tagged{tags, func(tags map[string]string) { shelf.setTags(tx, cluster.ID, arn, tags) }}, true
		}
	}
	return tagged{}, false
}

// exists says whether there is a resource with that ARN still, and it is to stay.
func (s *Service) exists(tx *state.Txn, arn string) bool {
	name, isCluster := strings.CutPrefix(arn, s.clusterARN(""))
	if cluster, err := clusterNamed(tx, name); isCluster && err == nil && cluster.Status == region.ClusterDeleting {
		return false
	}
	_, found := s.resourceWithARN(tx, arn)
	return found
}

// parseARN refuses what is no ARN of this service's resources in this region and account.
func (s *Service) parseARN(arn string) error {
	fields := strings.SplitN(arn, ":", 6)
	if len(fields) != 6 || fields[0] != "arn" || fields[2] != Name || !strings.Contains(fields[5], "/") {
		return badRequest("Invalid ARN: %s is not the ARN of an EKS resource.", quote(arn))
	}
	if fields[1] != "aws" || fields[3] != s.Region || fields[4] != s.AccountID {
		return badRequest("Invalid ARN: %s is not of the region %s and the account %s.", quote(arn), s.Region, s.AccountID)
	}
	return nil
}

func (s *Service) tagResource(call *operation.Call, in *eks.TagResourceInput) (*eks.TagResourceOutput, error) {
	return &eks.TagResourceOutput{},
		s.retag(call, aws.ToString(in.ResourceArn), func(tags map[string]string) (map[string]string, error) {
			if wrong := checkTags(in.Tags); wrong != "" {
				return nil, badRequest("%s", wrong)
			}
			merged := mergeTags(tags, in.Tags)
			if wrong := checkTags(merged); wrong != "" {
				return nil, badRequest("%s", wrong)
			}
			return merged, nil
		})
}

func (s *Service) untagResource(call *operation.Call, in *eks.UntagResourceInput) (*eks.UntagResourceOutput, error) {
	return &eks.UntagResourceOutput{},
		s.retag(call, aws.ToString(in.ResourceArn), func(tags map[string]string) (map[string]string, error) {
			if len(in.TagKeys) == 0 || len(in.TagKeys) > maxTags {
				return nil, badRequest("tagKeys must name 1 to %d tags.", maxTags)
			}
			left := maps.Clone(tags)
			for _, key := range in.TagKeys {
				delete(left, key)
			}
			return left, nil
		})
}

func (s *Service) retag(call *operation.Call, arn string,
	change func(map[string]string) (map[string]string, error)) error {
	if err := s.parseARN(arn); err != nil {
		return err
	}
	if err := s.authorizeARN(call, arn); err != nil {
		return err
	}
	err := s.State.Update(call.Request.Context(), func(tx *state.Txn) error {
		resource, found := s.resourceWithARN(tx, arn)
		if !found {
			return noResource("There is no resource with the ARN %s.", quote(arn))
		}
		tags, err := change(resource.tags)
		if err != nil {
			return err
		}
		resource.set(tags)
		return nil
	})
	if err != nil {
		return fmt.Errorf("%s: %w", call.Operation, err)
	}
	return nil
}

func (s *Service) listTagsForResource(call *operation.Call,
	in *eks.ListTagsForResourceInput) (*eks.ListTagsForResourceOutput, error) {
	arn := aws.ToString(in.ResourceArn)
	if err := s.parseARN(arn); err != nil {
		return nil, err
	}
	if err := s.authorizeARN(call, arn); err != nil {
		return nil, err
	}
	out := &eks.ListTagsForResourceOutput{}
	return out, s.State.View(func(tx *state.Txn) error {
		resource, found := s.resourceWithARN(tx, arn)
		if !found {
			return noResource("There is no resource with the ARN %s.", quote(arn))
		}
		out.Tags = mergeTags(resource.tags, nil)
		return nil
	})
}

// clusterTags are a cluster's tags.
func clusterTags(cluster region.Cluster) map[string]string { return cluster.Tags }

// setClusterTags gives a cluster other tags.
func setClusterTags(tx *state.Txn, clusterID string, tags map[string]string) {
	cluster, found := region.Clusters.Get(tx, clusterID)
	if !found {
		return
	}
	cluster.Tags = tags
	region.Clusters.Put(tx, clusterID, cluster)
}

// quote is a client's own text in a message: one line, kept short.
func quote(text string) string {
	const most = 256
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "..."
	}
	return fmt.Sprintf("%q", text)
}

// clip is a list of names in a message, the first few of them.
func clip(names []string) string {
	const most = 5
	if len(names) > most {
		return strings.Join(names[:most], ", ") + ", ..."
	}
	return strings.Join(names, ", ")
}
