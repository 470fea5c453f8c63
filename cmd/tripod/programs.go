package main

import (
	"context"

	"tripod/apiserver"
	"tripod/emulator"
	"tripod/etcdcluster"
	"tripod/iam"
	"tripod/internal/cli"
	"tripod/pods/podexec"
)

// programs are the parts of the one binary that the command line does not link by itself.
func programs() cli.Programs {
	return cli.Programs{
		Up:              newRegion,
		Kubectl:         kubectl,
		Token:           execCredential,
		PodExec:         podExec,
		PodEnter:        podexec.Enter,
		SaveSnapshot:    emulator.SaveSnapshot,
		RestoreSnapshot: emulator.RestoreSnapshot,
		Zone:            zone,
		Etcd:            etcdcluster.Run,
		APIServer:       apiserver.RunServer,
		Controllers:     apiserver.RunControllers,
	}
}

func execCredential(ctx context.Context, request cli.TokenRequest) ([]byte, error) {
	credentials := iam.Credentials{
		AccessKeyID: request.AccessKeyID, SecretAccessKey: request.SecretAccessKey, SessionToken: request.SessionToken,
	}
	token, err := iam.Token(ctx, credentials, request.Region, request.Endpoint, request.Cluster, request.Now)
	if err != nil {
		return nil, err
	}
	return iam.ExecCredential(token, request.Now.Add(iam.TokenLife), request.ExecInfo)
}

func podExec(ctx context.Context, r cli.PodExecRequest) (int, error) {
	return podexec.Run(ctx, podexec.Options{
		Kubeconfig: r.Kubeconfig, Cluster: r.Cluster, Namespace: r.Namespace, Pod: r.Pod, Container: r.Container,
		Command: r.Command, NoMounts: r.NoMounts, Env: r.Env,
		Region: r.Region, Endpoint: r.Endpoint, AccessKeyID: r.AccessKeyID, SecretAccessKey: r.SecretAccessKey,
		Directory: r.Directory, DataDir: r.DataDir, Environ: r.Environ, Executable: r.Executable, Args: r.Args, Stdin: r.Stdin,
		Stdout: r.Stdout, Stderr: r.Stderr,
	})
}
