# A file system of the region with a mount target in two zones, an access point and what is kept of it; and one of a single zone.

resource "aws_efs_file_system" "shared" {
  creation_token  = "shared"
  encrypted       = true
  throughput_mode = var.extra == "two" ? "elastic" : "bursting" # a change
  lifecycle_policy { transition_to_ia = "AFTER_30_DAYS" }
  tags = { Name = "shared" }
}

resource "aws_security_group" "nfs" {
  name   = "nfs"
  vpc_id = aws_vpc.main.id
  ingress {
    from_port   = 2049
    to_port     = 2049
    protocol    = "tcp"
    cidr_blocks = [aws_vpc.main.cidr_block]
  }
}

resource "aws_efs_mount_target" "shared" {
  count           = 2
  file_system_id  = aws_efs_file_system.shared.id
  subnet_id       = aws_subnet.private[count.index].id
  security_groups = [aws_security_group.nfs.id]
}

resource "aws_efs_access_point" "shared" {
  file_system_id = aws_efs_file_system.shared.id
  posix_user {
    uid = 1000
    gid = 1000
  }
  root_directory {
    path = "/app"
    creation_info {
      owner_uid   = 1000
      owner_gid   = 1000
      permissions = "755"
    }
  }
}

resource "aws_efs_backup_policy" "shared" {
  file_system_id = aws_efs_file_system.shared.id
  backup_policy { status = "ENABLED" }
}

resource "aws_efs_file_system_policy" "shared" {
  file_system_id = aws_efs_file_system.shared.id
  policy = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Principal = { AWS = "*" },
    Action = ["elasticfilesystem:ClientMount"], Resource = aws_efs_file_system.shared.arn,
  Condition = { Bool = { "aws:SecureTransport" = "true" } } }] })
}

resource "aws_efs_file_system" "single" {
  availability_zone_name = "us-east-1c"
}
