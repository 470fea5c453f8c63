package podexec

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/efs"
	"github.com/aws/aws-sdk-go-v2/service/efs/types"

	"tripod/internal/datadir"
	"tripod/nodes/efsvolume"
)

// fileSystem is where a volume of EFS's is, as the pod's node mounts it: by the mount target of its zone.
func (p *pod) fileSystem(ctx context.Context, text string) (string, error) {
	handle, err := efsvolume.Parse(text)
	if err != nil {
		return "", err
	}
	at, err := p.where(ctx)
	if err != nil {
		return "", err
	}
	calls := efs.NewFromConfig(aws.Config{Region: p.options.Region, BaseEndpoint: &p.options.Endpoint,
		Credentials: credentials.NewStaticCredentialsProvider(p.options.AccessKeyID, p.options.SecretAccessKey, "")})
	systems, err := calls.DescribeFileSystems(ctx, &efs.DescribeFileSystemsInput{FileSystemId: &handle.FileSystem})
	if err != nil {
		return "", err
	}
	targets, err := calls.DescribeMountTargets(ctx, &efs.DescribeMountTargetsInput{FileSystemId: &handle.FileSystem})
	if err != nil {
		return "", err
	}
	reached := false
	for _, m := range targets.MountTargets {
		reached = reached || m.LifeCycleState == types.LifeCycleStateAvailable && aws.ToString(m.AvailabilityZoneName) == at.zone
	}
	if !reached || len(systems.FileSystems) != 1 {
		return "", fmt.Errorf("file system %s has no mount target in %s, the zone of the pod's node", handle.FileSystem, at.zone)
	}
	root, made := "/", false
	if handle.AccessPoint != "" {
		points, err := calls.DescribeAccessPoints(ctx, &efs.DescribeAccessPointsInput{AccessPointId: &handle.AccessPoint})
		if err != nil {
			return "", err
		}
		if len(points.AccessPoints) != 1 || aws.ToString(points.AccessPoints[0].FileSystemId) != handle.FileSystem {
			return "", fmt.Errorf("access point %s is none of file system %s", handle.AccessPoint, handle.FileSystem)
		}
		directory := points.AccessPoints[0].RootDirectory
		root, made = aws.ToString(directory.Path), directory.CreationInfo != nil
	}
	return inFileSystem(datadir.FileSystem(p.options.DataDir, aws.ToString(systems.FileSystems[0].AvailabilityZoneName), handle.FileSystem),
		root, handle.Path, made)
}

// inFileSystem is a directory of a file system. The root of an access point that says how it is made is made, others are there.
func inFileSystem(dir, root, at string, made bool) (string, error) {
	system, err := os.OpenRoot(dir)
	if err != nil {
		return "", fmt.Errorf("the file system is not on this machine: %w", err)
	}
	defer system.Close()
	below := efsvolume.Below(root, at)
	if made && efsvolume.Below("/", at) == "." && below != "." {
		if err := system.MkdirAll(below, 0o700); err != nil {
			return "", err
		}
	}
	if info, err := system.Stat(below); err != nil || !info.IsDir() {
		return "", fmt.Errorf("there is no directory %s in it", below)
	}
	return filepath.Join(dir, filepath.FromSlash(below)), nil
}
