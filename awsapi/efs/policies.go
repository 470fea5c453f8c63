package efs

import (
	"encoding/json"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/efs"
	"github.com/aws/aws-sdk-go-v2/service/efs/types"

	"tripod/awsapi/operation"
	"tripod/region"
	"tripod/state"
)

// about reads one file system.
func (s *Service) about(call *operation.Call, id *string, read func(region.FileSystem) error) error {
	return s.view(call, func(tx *state.Txn) error {
		f, err := s.fileSystem(tx, call, id)
		if err != nil {
			return err
		}
		return read(f)
	})
}

// change edits what of a file system is no state.
func (s *Service) change(call *operation.Call, id *string, edit func(*region.FileSystem) error) error {
	return s.update(call, func(tx *state.Txn) error {
		f, err := s.available(tx, call, id)
		if err != nil {
			return err
		}
		if err := edit(&f); err != nil {
			return err
		}
		region.ChangeFileSystem(tx, f.ID, func(kept *region.FileSystem) { *kept = f })
		return nil
	})
}

// The names of the transitions between storage classes.
const (
	toIA      = "TransitionToIA"
	toArchive = "TransitionToArchive"
	toPrimary = "TransitionToPrimaryStorageClass"
)

func (s *Service) putLifecycle(call *operation.Call, in *efs.PutLifecycleConfigurationInput) (*efs.PutLifecycleConfigurationOutput, error) {
	rules := []map[string]string{}
	given := map[string]bool{}
	for _, p := range in.LifecyclePolicies {
		rule := map[string]string{}
		for name, value := range map[string]string{toIA: string(p.TransitionToIA), toArchive: string(p.TransitionToArchive),
			toPrimary: string(p.TransitionToPrimaryStorageClass)} {
			if value == "" {
				continue
			}
			if given[name] {
				return nil, badRequest("Each transition can be given once: %s is given twice.", name)
			}
			given[name], rule[name] = true, value
		}
		if len(rule) != 1 {
			return nil, badRequest("Each LifecyclePolicy must have exactly one transition.")
		}
		rules = append(rules, rule)
	}
	err := s.change(call, in.FileSystemId, func(f *region.FileSystem) error {
		if given[toArchive] && f.Throughput != string(types.ThroughputModeElastic) {
			return badRequest("TransitionToArchive takes a file system with the elastic throughput mode.")
		}
		f.Lifecycle = rules
		return nil
	})
	return &efs.PutLifecycleConfigurationOutput{LifecyclePolicies: shownRules(rules)}, err
}

func shownRules(rules []map[string]string) []types.LifecyclePolicy {
	shown := []types.LifecyclePolicy{}
	for _, rule := range rules {
		shown = append(shown, types.LifecyclePolicy{TransitionToIA: types.TransitionToIARules(rule[toIA]),
			TransitionToArchive:             types.TransitionToArchiveRules(rule[toArchive]),
			TransitionToPrimaryStorageClass: types.TransitionToPrimaryStorageClassRules(rule[toPrimary])})
	}
	return shown
}

func (s *Service) describeLifecycle(call *operation.Call,
	in *efs.DescribeLifecycleConfigurationInput) (*efs.DescribeLifecycleConfigurationOutput, error) {
	out := &efs.DescribeLifecycleConfigurationOutput{}
	return out, s.about(call, in.FileSystemId, func(f region.FileSystem) error {
		out.LifecyclePolicies = shownRules(f.Lifecycle)
		return nil
	})
}

// noPolicy has no message in AWS either.
func noPolicy() error { return fail(http.StatusNotFound, "PolicyNotFound", "") }

func (s *Service) putBackup(call *operation.Call, in *efs.PutBackupPolicyInput) (*efs.PutBackupPolicyOutput, error) {
	status := in.BackupPolicy.Status
	if status != types.StatusEnabled && status != types.StatusDisabled {
		return nil, fail(http.StatusBadRequest, "ValidationException", "The status of a backup policy can be set to ENABLED or DISABLED, not %s.",
			status)
	}
	err := s.change(call, in.FileSystemId, func(f *region.FileSystem) error {
		f.Backup = string(status)
		return nil
	})
	return &efs.PutBackupPolicyOutput{BackupPolicy: in.BackupPolicy}, err
}

func (s *Service) describeBackup(call *operation.Call, in *efs.DescribeBackupPolicyInput) (*efs.DescribeBackupPolicyOutput, error) {
	out := &efs.DescribeBackupPolicyOutput{}
	return out, s.about(call, in.FileSystemId, func(f region.FileSystem) error {
		if f.Backup == "" {
			return noPolicy()
		}
		out.BackupPolicy = &types.BackupPolicy{Status: types.Status(f.Backup)}
		return nil
	})
}

func (s *Service) putPolicy(call *operation.Call, in *efs.PutFileSystemPolicyInput) (*efs.PutFileSystemPolicyOutput, error) {
	var document struct {
		Version   string
		Statement json.RawMessage
	}
	if err := json.Unmarshal([]byte(*in.Policy), &document); err != nil || len(document.Statement) == 0 {
		return nil, fail(http.StatusBadRequest, "InvalidPolicyException", "The policy is not valid: it must be a JSON object with a Statement.")
	}
	err := s.change(call, in.FileSystemId, func(f *region.FileSystem) error {
		f.Policy = *in.Policy
		return nil
	})
	return &efs.PutFileSystemPolicyOutput{FileSystemId: aws.String(short(in.FileSystemId)), Policy: in.Policy}, err
}

func (s *Service) describePolicy(call *operation.Call,
	in *efs.DescribeFileSystemPolicyInput) (*efs.DescribeFileSystemPolicyOutput, error) {
	out := &efs.DescribeFileSystemPolicyOutput{}
	return out, s.about(call, in.FileSystemId, func(f region.FileSystem) error {
		if f.Policy == "" {
			return noPolicy()
		}
		out.FileSystemId, out.Policy = &f.ID, &f.Policy
		return nil
	})
}

func (s *Service) deletePolicy(call *operation.Call, in *efs.DeleteFileSystemPolicyInput) (*efs.DeleteFileSystemPolicyOutput, error) {
	return &efs.DeleteFileSystemPolicyOutput{}, s.change(call, in.FileSystemId, func(f *region.FileSystem) error {
		f.Policy = ""
		return nil
	})
}

func noReplication(id string) error {
	return fail(http.StatusNotFound, "ReplicationNotFound", "File system '%s' has no replication configuration.", id)
}

func (s *Service) createReplication(call *operation.Call,
	in *efs.CreateReplicationConfigurationInput) (*efs.CreateReplicationConfigurationOutput, error) {
	return nil, s.about(call, in.SourceFileSystemId, func(region.FileSystem) error {
		return badRequest("CreateReplicationConfiguration is not supported: there is no other region to replicate to.")
	})
}

func (s *Service) deleteReplication(call *operation.Call,
	in *efs.DeleteReplicationConfigurationInput) (*efs.DeleteReplicationConfigurationOutput, error) {
	return nil, s.about(call, in.SourceFileSystemId, func(f region.FileSystem) error { return noReplication(f.ID) })
}

func (s *Service) describeReplications(call *operation.Call,
	in *efs.DescribeReplicationConfigurationsInput) (*efs.DescribeReplicationConfigurationsOutput, error) {
	if in.FileSystemId != nil {
		return nil, s.about(call, in.FileSystemId, func(f region.FileSystem) error { return noReplication(f.ID) })
	}
	return &efs.DescribeReplicationConfigurationsOutput{Replications: []types.ReplicationConfigurationDescription{}},
		s.permit(call, "file-system/*", nil)
}

// longIDs is what every account has: others cannot be had any more.
func longIDs() *types.ResourceIdPreference {
	return &types.ResourceIdPreference{ResourceIdType: types.ResourceIdTypeLongId,
		Resources: []types.Resource{types.ResourceFileSystem, types.ResourceMountTarget}}
}

func (s *Service) describePreferences(call *operation.Call,
	_ *efs.DescribeAccountPreferencesInput) (*efs.DescribeAccountPreferencesOutput, error) {
	return &efs.DescribeAccountPreferencesOutput{ResourceIdPreference: longIDs()}, s.permit(call, "*", nil)
}

func (s *Service) putPreferences(call *operation.Call,
	in *efs.PutAccountPreferencesInput) (*efs.PutAccountPreferencesOutput, error) {
	if err := s.permit(call, "*", nil); err != nil {
		return nil, err
	}
	if in.ResourceIdType != types.ResourceIdTypeLongId {
		return nil, badRequest("The ResourceIdType SHORT_ID can not be set any more: ids are long ones.")
	}
	return &efs.PutAccountPreferencesOutput{ResourceIdPreference: longIDs()}, nil
}
