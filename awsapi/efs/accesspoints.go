package efs

import (
	"net/http"
	"regexp"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/efs"
	"github.com/aws/aws-sdk-go-v2/service/efs/types"

	"tripod/awsapi/operation"
	"tripod/region"
	"tripod/state"
)

// rootPattern is that of the path of a root directory in EFS's model, and rootForm the same as Go's regexp understands it.
const rootPattern = "^(\\/|(\\/(?!\\.)+[^$#<>;`|&?{}^*/\\n]+){1,4})$"

var rootForm = regexp.MustCompile("^(/|(/[^.$#<>;`|&?{}^*/\n][^$#<>;`|&?{}^*/\n]*){1,4})$")

func (s *Service) createAccessPoint(call *operation.Call, in *efs.CreateAccessPointInput) (*types.AccessPointDescription, error) {
	tags, err := newTags(in.Tags)
	if err != nil {
		return nil, err
	}
	p := region.AccessPoint{ID: newID("fsap"), FileSystemID: short(in.FileSystemId), Token: *in.ClientToken, Path: "/", Tags: tags}
	if user := in.PosixUser; user != nil {
		p.User = &region.PosixUser{UID: *user.Uid, GID: *user.Gid, Secondary: user.SecondaryGids}
	}
	if root := in.RootDirectory; root != nil {
		if root.Path != nil {
			p.Path = *root.Path
		}
		if made := root.CreationInfo; made != nil {
			p.Creation = &region.CreationInfo{OwnerUID: *made.OwnerUid, OwnerGID: *made.OwnerGid, Permissions: *made.Permissions}
		}
	}
	if !rootForm.MatchString(p.Path) {
		return nil, fail(http.StatusBadRequest, "ValidationException", "1 validation error detected: Value '%s' at 'rootDirectory.path' failed "+
			"to satisfy constraint: Member must satisfy regular expression pattern: %s", p.Path, rootPattern)
	}
	var shown types.AccessPointDescription
	err = s.update(call, func(tx *state.Txn) error {
		f, err := s.available(tx, call, in.FileSystemId)
		if err != nil {
			return err
		}
		if err := s.permitTags(call, "access-point/"+p.ID, tags); err != nil {
			return err
		}
		if same := region.AccessPointsByToken.Of(p.Token).List(tx); len(same) > 0 {
			return with(fail(http.StatusConflict, "AccessPointAlreadyExists", "Access point '%s' already exists with client token '%s'",
				same[0].ID, p.Token), "AccessPointId", same[0].ID)
		}
		if region.AccessPointsByFileSystem.Of(f.ID).Count(tx) >= maxAccessPoints {
			return fail(http.StatusForbidden, "AccessPointLimitExceeded", "You have reached the maximum number of access points (%d) for the "+
				"file system '%s'.", maxAccessPoints, f.ID)
		}
		region.AccessPoints.Put(tx, p.ID, p)
		shown = s.describePoint(p)
		return nil
	})
	return &shown, err
}

// describePoint is an access point as EFS shows it.
func (s *Service) describePoint(p region.AccessPoint) types.AccessPointDescription {
	d := types.AccessPointDescription{AccessPointId: &p.ID, AccessPointArn: aws.String(s.arn("access-point/" + p.ID)),
		FileSystemId: &p.FileSystemID, ClientToken: &p.Token, OwnerId: &s.AccountID, LifeCycleState: types.LifeCycleStateAvailable,
		Name: nameIn(p.Tags), Tags: shownTags(p.Tags), RootDirectory: &types.RootDirectory{Path: &p.Path}}
	if p.User != nil {
		d.PosixUser = &types.PosixUser{Uid: &p.User.UID, Gid: &p.User.GID, SecondaryGids: slices.Clone(p.User.Secondary)}
	}
	if p.Creation != nil {
		d.RootDirectory.CreationInfo = &types.CreationInfo{OwnerUid: &p.Creation.OwnerUID, OwnerGid: &p.Creation.OwnerGID,
			Permissions: &p.Creation.Permissions}
	}
	return d
}

func (s *Service) describeAccessPoints(call *operation.Call, in *efs.DescribeAccessPointsInput) (*efs.DescribeAccessPointsOutput, error) {
	out := &efs.DescribeAccessPointsOutput{AccessPoints: []types.AccessPointDescription{}}
	err := s.view(call, func(tx *state.Txn) error {
		var found []region.AccessPoint
		switch {
		case in.AccessPointId != nil && in.FileSystemId != nil:
			return badRequest("Must specify exactly one mutually exclusive parameter.")
		case in.AccessPointId != nil:
			p, known := region.AccessPoints.Get(tx, short(in.AccessPointId))
			if err := s.permit(call, "access-point/"+short(in.AccessPointId), p.Tags); err != nil {
				return err
			}
			if !known {
				return noAccessPoint(short(in.AccessPointId))
			}
			found = []region.AccessPoint{p}
		case in.FileSystemId != nil:
			f, err := s.fileSystem(tx, call, in.FileSystemId)
			if err != nil {
				return err
			}
			found = region.AccessPointsByFileSystem.Of(f.ID).List(tx)
		default:
			if err := s.permit(call, "file-system/*", nil); err != nil {
				return err
			}
			found = region.AccessPoints.List(tx)
		}
		part, next, err := page(call, short(in.FileSystemId), in.MaxResults, in.NextToken, found,
			func(p region.AccessPoint) string { return p.ID })
		out.NextToken = next
		for _, p := range part {
			out.AccessPoints = append(out.AccessPoints, s.describePoint(p))
		}
		return err
	})
	return out, err
}

func (s *Service) deleteAccessPoint(call *operation.Call, in *efs.DeleteAccessPointInput) (*efs.DeleteAccessPointOutput, error) {
	return &efs.DeleteAccessPointOutput{}, s.update(call, func(tx *state.Txn) error {
		id := short(in.AccessPointId)
		p, found := region.AccessPoints.Get(tx, id)
		if err := s.permit(call, "access-point/"+id, p.Tags); err != nil {
			return err
		}
		if !found {
			return noAccessPoint(id)
		}
		region.AccessPoints.Delete(tx, id)
		return nil
	})
}
